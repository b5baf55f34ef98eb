"""The example world: what a wizard finds in it."""

from __future__ import annotations

import base64

from cryptography import x509

from support.simulated import POD, SECRET, Cluster, listed, ref, run


def test_certificates_are_real() -> None:
    async def scenario(sim: Cluster) -> None:
        secrets = await listed(sim, SECRET, None, fields="type=kubernetes.io/tls")
        readable = 0
        for secret in secrets:
            try:
                x509.load_pem_x509_certificates(base64.b64decode(secret["data"]["tls.crt"]))
                readable += 1
            except ValueError:
                continue
        assert readable >= 15
        assert len(secrets) - readable >= 3

    run(scenario, example=True)


def test_minio_and_its_certificate() -> None:
    async def scenario(sim: Cluster) -> None:
        obj = await sim.get(ref(SECRET, "minio-tls", "minio"))
        (own,) = x509.load_pem_x509_certificates(base64.b64decode(obj["data"]["tls.crt"]))
        names = own.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert "minio.minio.svc" in names.get_values_for_type(x509.DNSName)
        own.verify_directly_issued_by(own)
        keys = await sim.get(ref(SECRET, "postgresql-pgbackrest-s3"))
        assert set(keys["data"]) == {"accessKey", "secretKey"}
        before = (await sim.get(ref(POD, "minio-0", "minio")))["metadata"]["uid"]
        await sim.until(60)
        pod = await sim.get(ref(POD, "minio-0", "minio"))
        assert (pod["metadata"]["uid"], pod["status"]["phase"]) == (before, "Running")

    run(scenario, example=True)


def test_about_forty_secrets_with_hostile_texts_among_them() -> None:
    async def scenario(sim: Cluster) -> None:
        secrets = await listed(sim, SECRET, None, metadata_only=True)
        assert 35 <= len(secrets) <= 60
        assert all(set(secret) == {"apiVersion", "kind", "metadata"} for secret in secrets)
        texts = [text for secret in secrets for text in secret["metadata"].get("annotations", {}).values()]
        assert any("\x1b" in text for text in texts)

    run(scenario, example=True)


def test_the_same_in_every_run() -> None:
    assert Cluster(example=True).store.find(POD) == Cluster(example=True).store.find(POD)
