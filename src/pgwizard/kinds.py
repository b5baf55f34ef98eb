"""The kinds of objects that pgwizard reads and writes, by name. It refuses all else: what to do with one is its user's.

Kinds that one module alone asks about, such as access reviews, stand there.
"""

from __future__ import annotations

from pgwizard.kubeapi import Resource

NAMESPACE = Resource("v1", "Namespace")
SECRET = Resource("v1", "Secret")
SERVICE = Resource("v1", "Service")
POD = Resource("v1", "Pod")
CLAIM = Resource("v1", "PersistentVolumeClaim")
EVENT = Resource("v1", "Event")
STATEFULSET = Resource("apps/v1", "StatefulSet")
CRONJOB = Resource("batch/v1", "CronJob")
JOB = Resource("batch/v1", "Job")
STORAGE_CLASS = Resource("storage.k8s.io/v1", "StorageClass")
ROLE = Resource("rbac.authorization.k8s.io/v1", "Role")
LEASE = Resource("coordination.k8s.io/v1", "Lease")
