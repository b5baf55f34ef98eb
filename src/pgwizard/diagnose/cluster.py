"""What Kubernetes reports about images, pods and resources that fail. Pure."""

from __future__ import annotations

from pgwizard.diagnose.row import Rank, row

_PULL = r"/v2/[^\"\n]{0,300}\": "  # of a registry: requests to the API server fail with the same text

_JOB_POD = r"Error creating: pods \"[^\"\n]{1,253}\" is forbidden: "  # as the controller of Jobs reports it

IMAGES = (
    row(
        "image-rate-limited",
        r"toomanyrequests",
        "The registry's pull limit for this address is reached.",
        "Wait, log in with images.pullSecrets, or use a mirror.",
        "images.pullSecrets",
    ),
    row(
        "image-unauthorized",
        r"pull access denied|insufficient_scope|failed to authorize:|denied: requested access|unauthorized: "
        r"|(?:Head|Get|HEAD request to|GET request to) \"?https?://[^\n]{0,300}: 40[13] (?:Unauthorized|Forbidden)",
        "The registry refuses the image: it is private and no login was given, or it does not exist.",
        "Name a Secret with the login in images.pullSecrets, and check the image's name.",
        "images.pullSecrets",
    ),
    row(
        "image-platform",
        r"no match for platform in manifest|exec format error",
        "The image is not built for the node's CPU architecture.",
        "Use an image for that architecture, or a multi-platform image.",
        "images.postgresql",
    ),
    row(
        "image-registry-unknown",
        rf"{_PULL}dial tcp: lookup (?P<host>[^\s:\"]{{1,255}})",
        "The node cannot resolve the registry's name {host}.",
        "Check the image's name; a node without access to the registry needs a mirror, or the image loaded beforehand.",
        "images.postgresql",
    ),
    row(
        "image-registry-unreachable",
        rf"{_PULL}(?:dial tcp|EOF|net/http:|tls:|x509:|http: server gave HTTP response|context deadline exceeded)",
        "The node finds the registry but cannot pull from it: no connection, or a certificate that it does not trust.",
        "Check the node's connection to the registry, and the authorities that its container runtime trusts.",
        "images.postgresql",
    ),
    row(
        "image-not-found",
        r"failed to resolve (?:reference|image) \"[^\"\n]{1,300}\": [^\"\s]{1,300}: not found|manifest unknown"
        r"|InvalidImageName",
        "The registry has no such image: the name or the tag is wrong.",
        "Correct the image: images.postgresql, or images.kubectl for the backup Jobs.",
        "images.postgresql",
    ),
    row(
        "image-never-pulled",
        r"ErrImageNeverPull|with pull policy of Never",
        "The image is not on the node, and images.pullPolicy Never forbids pulling it.",
        "Set images.pullPolicy to IfNotPresent, or load the image onto every node.",
        "images.pullPolicy",
    ),
    row(
        "image-pull",
        r"ErrImagePull|ImagePullBackOff|Back-off pulling image",
        "The node cannot pull the image.",
        "kubectl -n NAMESPACE describe pod shows the registry's answer; check the image's name and images.pullSecrets.",
        "images.postgresql",
        rank=Rank.BROAD,
    ),
)

PODS = (
    row(
        "mount-key-missing",
        r"references non-existent (?:secret|config) key: ?(?P<key>[^\s,]{1,253})",
        "The pod mounts the key {key}, but its Secret or ConfigMap does not hold it.",
        "Set tls.source.key to a key that the Secret holds, and apply again.",
        "tls.source",
    ),
    row(
        "mount-secret-missing",
        r"MountVolume\.SetUp failed for volume \"[^\"\n]{1,253}\" ?: secret \"(?P<secret>[^\"\n]{1,253})\" not found",
        "The pod mounts the Secret {secret}, which does not exist in its namespace.",
        "Apply again: it writes the mirrored certificate from tls.source.",
        "tls.source",
    ),
    row(
        "mount-configmap-missing",
        r"(?:MountVolume\.SetUp failed for volume \"[^\"\n]{1,253}\" ?: |Error: )"
        r"configmap \"(?P<map>[^\"\n]{1,253})\" not found",
        "The pod wants the ConfigMap {map}, which does not exist in its namespace.",
        "Apply again: it writes the ConfigMap.",
    ),
    row(
        "secret-key-missing",
        r"couldn't find key (?P<key>[^\s]{1,253}) in (?P<kind>Secret|ConfigMap) (?P<name>[^\s\",]{1,510})",
        "The {kind} {name} has no key {key}.",
        "Add the key, or name the right one in repository.credentials, repository.cipher or credentials.",
        "repository.credentials",
    ),
    row(
        "lookup-forbidden",
        r"cannot (?:get|list) resource \"secrets\" in API group \"\" in the namespace \"(?P<space>[^\"\n]{1,63})\"",
        "You may not read Secrets in the namespace {space}, where the certificate or the key pair is.",
        "Ask for get on that Secret, or give the certificate as a file in tls.caFile.",
        "tls.source",
    ),
    row(
        "exec-forbidden",
        r"cannot (?:create|get) resource \"pods/exec\"",
        "The ServiceAccount may not exec into the database's pod, so no backup can be started.",
        "Apply again: it writes the Role. If a policy took the right away, ask for create on pods/exec.",
    ),
    row(
        "forbidden",
        r"User \"(?P<user>[^\"\n]{1,300})\" cannot (?P<verb>[a-z]{1,30}) resource \"(?P<resource>[^\"\n]{1,100})\"",
        "{user} may not {verb} {resource}.",
        "Ask the cluster's administrator for a Role that allows it in this namespace.",
        rank=Rank.BROAD,
    ),
    row(
        "namespace-missing",
        r"namespaces? \"(?P<space>[^\"\n]{1,63})\" not found",
        "The namespace {space} does not exist.",
        "Create it, or set release.createNamespace.",
        "release.namespace",
    ),
    row(
        "secret-missing",
        r"(?i:\bsecrets?) \"(?P<secret>[^\"\n]{1,253})\" not found",
        "The Secret {secret} does not exist in the namespace that the answers name.",
        "Create it, or correct the Secret and its namespace in repository.credentials, tls.source or credentials.",
        "repository.credentials",
        rank=Rank.BROAD,
    ),
    row(
        "image-runs-as-root",
        r"container has runAsNonRoot and image",
        "The image runs as root, or as a user without a number; the pod forbids both.",
        "Use an image that runs as uid 999, or a kubectl image with a numeric user.",
        "images.postgresql",
    ),
    row(
        "pod-security",
        r"violates PodSecurity \"(?P<level>[^\"\n]{1,60})\"",
        "The namespace's Pod Security level {level} does not allow this pod. The release meets restricted, so "
        "something changed the pod.",
        "Look for a webhook or a hand-made change, or use a namespace with another level.",
        "release.namespace",
    ),
    row(
        "priority-class-missing",
        r"no PriorityClass with name (?P<name>[^\s\"]{1,253}) was found",
        "The PriorityClass {name} does not exist.",
        "Create it, or correct pods.priorityClass.",
        "pods.priorityClass",
    ),
    row(
        "runtime-class-missing",
        r"RuntimeClass \"(?P<name>[^\"\n]{1,253})\" not found",
        "The RuntimeClass {name} does not exist.",
        "Create it, or correct pods.runtimeClass.",
        "pods.runtimeClass",
    ),
    row(
        "runtime-missing",
        r"no runtime for \"(?P<name>[^\"\n]{1,253})\" is configured",
        "The node has no container runtime {name}, which the RuntimeClass names.",
        "Choose nodes that have it with pods.nodeSelector, or correct pods.runtimeClass.",
        "pods.runtimeClass",
    ),
    row(
        "service-account-missing",
        r"error looking up service account [^\s/]{1,63}/(?P<name>[^\s:]{1,253}): ",
        "The ServiceAccount {name} does not exist in the namespace.",
        "Create it, or correct pods.serviceAccount. One of backups, NAME-pgbackrest, is written by an apply.",
        "pods.serviceAccount",
    ),
    row(
        "evicted-storage",
        r"Container (?P<name>[^\s]{1,63}) exceeded its local ephemeral storage limit"
        r"|Pod ephemeral local storage usage exceeds the total limit of containers",
        "The kubelet evicted the pod: its logs and /tmp exceed the limit for ephemeral storage.",
        "Raise pods.ephemeralStorageLimit.",
        "pods.ephemeralStorageLimit",
    ),
    row(
        "security-context-constraint",
        r"unable to validate against any security context constraint",
        "No SecurityContextConstraint of OpenShift allows the pod its user and groups, 999 and 1001.",
        "Let an administrator grant one: oc adm policy add-scc-to-user nonroot-v2 for the ServiceAccounts default and "
        "NAME-pgbackrest of the namespace.",
    ),
    row(
        "admission-policy",
        r"ValidatingAdmissionPolicy '(?P<policy>[^'\n]{1,253})' with binding '[^'\n]{1,253}' denied request",
        "The cluster's policy {policy} refused the object; its words follow on that line.",
        "Meet the policy, or ask its owner for an exception for this namespace. pods.labels and pods.annotations mark "
        "the database's pod, jobs.labels and jobs.annotations the Jobs.",
    ),
    row(
        "admission-webhook-silent",
        r"failed calling webhook \"(?P<hook>[^\"\n]{1,253})\"",
        "The cluster's webhook {hook} does not answer, and the API server accepts nothing without it.",
        "Look at the webhook's pods and its certificate; its owner can exclude this namespace.",
    ),
    row(
        "admission-denied",
        r"admission webhook \"(?P<hook>[^\"\n]{1,253})\" denied the request",
        "The cluster's policy {hook} refused the object; its words follow on that line.",
        "Meet the policy, or ask its owner for an exception for this namespace. pods.labels and pods.annotations mark "
        "the database's pod, jobs.labels and jobs.annotations the Jobs.",
    ),
    row(
        "container-missing",
        r"pods \"(?P<pod>[^\"\n]{1,253})\" not found|container not found \(\"|unable to upgrade connection",
        "The database's pod or its container was not running when a backup was to start.",
        "Wait until the pod is ready; its log says why it was not.",
        rank=Rank.SYMPTOM,
    ),
)

RESOURCES = (
    row(
        "other-kind-of-field",
        r"may not specify more than 1 (?:handler|volume) type|may not be specified when `value` is not empty",
        "The live object has another kind of this field, such as a tcpSocket probe, which an apply cannot replace.",
        "Remove the live one with the tool that set it, then apply again.",
    ),
    row(
        "quota-storage",
        r"exceeded quota: (?P<quota>[^,\n]{1,253}), requested: [^\n]{0,300}?(?<!ephemeral-)storage",
        "The namespace's quota {quota} has no room for a volume of this size.",
        "Lower storage.size, or have the quota raised.",
        "storage.size",
    ),
    row(
        "job-quota",
        rf"{_JOB_POD}exceeded quota: (?P<quota>[^,\n]{{1,253}}), requested: (?P<amount>[^\n]{{1,300}}?)(?:, used|\n|$)",
        "The namespace's quota {quota} has no room for the backup Jobs: {amount}.",
        "Lower jobs.cpuRequest, jobs.cpuLimit, jobs.memoryRequest or jobs.memoryLimit, or have the quota raised.",
        "jobs.cpuLimit",
    ),
    row(
        "quota-memory-request",
        r"exceeded quota: (?P<quota>[^,\n]{1,253}), requested: (?P<amount>(?:requests\.)?memory=[^,\n]{1,30})"
        r"(?=, used|\n|$)",
        "The namespace's quota {quota} has no room for {amount}.",
        "Lower resources.memoryRequest, or have the quota raised.",
        "resources.memoryRequest",
    ),
    row(
        "quota-cpu-request",
        r"exceeded quota: (?P<quota>[^,\n]{1,253}), requested: (?P<amount>(?:requests\.)?cpu=[^,\n]{1,30})"
        r"(?=, used|\n|$)",
        "The namespace's quota {quota} has no room for {amount}.",
        "Lower resources.cpuRequest, or have the quota raised.",
        "resources.cpuRequest",
    ),
    row(
        "quota-ephemeral-storage",
        r"exceeded quota: (?P<quota>[^,\n]{1,253}), requested: (?P<amount>(?:(?:requests|limits)\.)?ephemeral-storage="
        r"[^,\n]{1,30})(?=, used|\n|$)",
        "The namespace's quota {quota} has no room for {amount}.",
        "Lower pods.ephemeralStorageRequest or pods.ephemeralStorageLimit, or have the quota raised.",
        "pods.ephemeralStorageLimit",
    ),
    row(
        "quota-exceeded",
        r"exceeded quota: (?P<quota>[^,\n]{1,253}), requested: (?P<amount>[^\n]{1,300}?)(?:, used|\n|$)",
        "The namespace's quota {quota} has no room for {amount}.",
        "Lower tuning.memory, tuning.cpu or the requests of resources, or have the quota raised.",
        "tuning.memory",
    ),
    row(
        "quota-needs-values",
        r"failed quota: (?P<quota>[^:\n]{1,253}): must specify (?P<amount>[^\n]{1,120})",
        "The namespace's quota {quota} wants every container to state {amount}.",
        "Have a LimitRange give defaults to containers that state none.",
    ),
    row(
        "limit-range-storage",
        r"(?P<end>m(?:ax|in)imum) storage usage per PersistentVolumeClaim is (?P<limit>[^,\s]{1,30})",
        "The namespace's LimitRange sets a {end} of {limit} for a volume.",
        "Choose a storage.size within it, or have the LimitRange changed.",
        "storage.size",
    ),
    row(
        "job-limit-range",
        rf"{_JOB_POD}\[?(?P<end>m(?:ax|in)imum) (?P<what>[a-z-]{{1,30}}) usage per (?P<kind>\w{{1,30}}) is "
        r"(?P<limit>[^,\s]{1,30})",
        "The namespace's LimitRange does not allow this {what} of a {kind} of the backup Jobs: {end} {limit}.",
        "Choose jobs.cpuRequest, jobs.cpuLimit, jobs.memoryRequest and jobs.memoryLimit within it.",
        "jobs.memoryRequest",
    ),
    row(
        "job-limit-range-ratio",
        rf"{_JOB_POD}\[?[a-z-]{{1,30}} max limit to request ratio per (?P<kind>\w{{1,30}}) is "
        r"(?P<limit>[^,\s]{1,30})",
        "The namespace's LimitRange lets a limit of the backup Jobs be at most {limit} times its request.",
        "Raise jobs.cpuRequest or jobs.memoryRequest, or lower jobs.cpuLimit or jobs.memoryLimit.",
        "jobs.cpuRequest",
    ),
    row(
        "limit-range-minimum",
        r"minimum (?P<what>[a-z-]{1,30}) usage per (?P<kind>\w{1,30}) is (?P<limit>[^,\s]{1,30})",
        "The namespace's LimitRange wants a {kind} to have more {what}: at least {limit}.",
        "Raise initContainer.cpuRequest, initContainer.memoryRequest or those of resources, or have the LimitRange "
        "changed.",
        "initContainer.memoryRequest",
    ),
    row(
        "limit-range",
        r"(?P<end>maximum) (?P<what>[a-z-]{1,30}) usage per (?P<kind>\w{1,30}) is (?P<limit>[^,\s]{1,30})",
        "The namespace's LimitRange does not allow this much {what} for a {kind}: {end} {limit}.",
        "Choose tuning.memory and resources within it, or have the LimitRange changed.",
        "tuning.memory",
    ),
    row(
        "limit-range-ratio",
        r"max limit to request ratio per (?P<kind>\w{1,30}) is (?P<limit>[^,\s]{1,30})",
        "The namespace's LimitRange lets the limit of a {kind} be at most {limit} times its request.",
        "Raise the requests of resources or of initContainer, or have the LimitRange changed.",
        "resources.cpuRequest",
    ),
    row(
        "node-memory",
        r"Insufficient memory",
        "No node has that much unreserved memory left.",
        "Lower tuning.memory or resources.memoryRequest, or add a larger node.",
        "tuning.memory",
    ),
    row(
        "node-ephemeral-storage",
        r"Insufficient ephemeral-storage",
        "No node has that much unreserved ephemeral storage left.",
        "Lower pods.ephemeralStorageRequest, or add a node.",
        "pods.ephemeralStorageRequest",
    ),
    row(
        "node-cpu",
        r"Insufficient cpu",
        "No node has that much unreserved CPU left.",
        "Lower resources.cpuRequest, or add a node.",
        "resources.cpuRequest",
    ),
    row(
        "no-storage-class",
        r"no persistent volumes available for this claim and no storage class is set",
        "The cluster has no default StorageClass, and none was chosen.",
        "Name one in storage.storageClass.",
        "storage.storageClass",
    ),
    row(
        "storage-class-missing",
        r"storageclass(?:es)?\.storage\.k8s\.io \"(?P<storage>[^\"\n]{1,253})\" not found",
        "The StorageClass {storage} does not exist.",
        "Name an existing one in storage.storageClass, or null for the cluster's default.",
        "storage.storageClass",
    ),
    row(
        "volume-elsewhere",
        r"volume node affinity conflict",
        "The volume is in a zone or on a node where the pod cannot go.",
        "Make room where the volume is, or use a StorageClass that waits for the pod (WaitForFirstConsumer).",
        "storage.storageClass",
    ),
    row(
        "volume-attach",
        r"Multi-Attach error|FailedAttachVolume|AttachVolume\.Attach failed|Unable to attach or mount volumes",
        "The volume cannot be attached: another node still holds it, or the storage driver fails.",
        "Wait some minutes after a node was lost; else look at the storage driver's pods.",
        "storage.storageClass",
        rank=Rank.BROAD,
    ),
    row(
        "provisioning-failed",
        r"ProvisioningFailed|failed to provision volume",
        "The storage driver could not make the volume.",
        "The event's own words say why; check storage.size and storage.storageClass, and the driver's pods.",
        "storage.storageClass",
        rank=Rank.BROAD,
    ),
    row(
        "claim-unbound",
        r"unbound immediate PersistentVolumeClaims|persistentvolumeclaim \"[^\"\n]{1,253}\" not found",
        "The pod waits for its volume: nothing provides one for the claim.",
        "Look at the claim's events, and name a StorageClass with a provisioner in storage.storageClass.",
        "storage.storageClass",
        rank=Rank.BROAD,
    ),
    row(
        "node-taints",
        r"node\(s\) had (?:untolerated )?taints?",
        "Every suitable node has a taint that the pod does not tolerate.",
        "Name the taint in pods.tolerations, or remove it. Cordoned nodes and nodes under pressure have one too.",
        "pods.tolerations",
        rank=Rank.BROAD,
    ),
    row(
        "node-selector",
        r"node\(s\) didn't match Pod's node affinity/selector",
        "No node has the labels that the pod asks for.",
        "Correct pods.nodeSelector, or label a node.",
        "pods.nodeSelector",
        rank=Rank.BROAD,
    ),
    row(
        "unschedulable",
        r"nodes are available:|Unschedulable",
        "No node can run the pod.",
        "kubectl -n NAMESPACE describe pod shows the scheduler's reasons.",
        rank=Rank.SYMPTOM,
    ),
    row(
        "crash-loop",
        r"CrashLoopBackOff|Back-off restarting failed container",
        "The container ends soon after each start.",
        "kubectl -n NAMESPACE logs POD --previous shows its last lines.",
        rank=Rank.SYMPTOM,
    ),
    row(
        "probe-failed",
        r"(?:Readiness|Liveness|Startup) probe failed",
        "PostgreSQL does not answer yet: it starts, recovers, or hangs.",
        "Read the log of the database's pod.",
        rank=Rank.SYMPTOM,
    ),
    row(
        "job-gave-up",
        r"DeadlineExceeded|BackoffLimitExceeded|Job has reached the specified backoff limit"
        r"|Job was active longer than specified deadline",
        "Kubernetes gave up on the Job: it failed too often or ran too long.",
        "The log of its pod has the reason.",
        rank=Rank.SYMPTOM,
    ),
)
