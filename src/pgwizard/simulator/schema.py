"""Owns the shape of the kinds that the simulation knows: fields, list keys, and what is atomic.

The table was drawn from the OpenAPI document of a real v1.34 API server. Contains no ranges, enumerations or CEL:
whether a value makes sense is ``admission``'s business, and only for the values that matter here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from pgwizard.simulator.quantity import amount, canonical

# Type= field:content ...; content is s(tring), i(nteger), b(oolean), n(umber), u (a quantity), q (a time, or text that
# may be a number), a(nything) or another type, then {} for a map, [] for an atomic list, [*] for a set, [key+key] for a
# list merged by keys; ! means atomic.
# Storage drivers, affinity by node and other corners that no manifest of ours reaches are "anything".
_TABLE = """
Namespace= apiVersion:s kind:s metadata:ObjectMeta spec:NamespaceSpec status:NamespaceStatus
ObjectMeta= annotations:s{} creationTimestamp:q deletionGracePeriodSeconds:i deletionTimestamp:q finalizers:s[*]
  generateName:s generation:i labels:s{} managedFields:ManagedFieldsEntry[] name:s namespace:s
  ownerReferences:OwnerReference![uid] resourceVersion:s selfLink:s uid:s
ManagedFieldsEntry= apiVersion:s fieldsType:s fieldsV1:a manager:s operation:s subresource:s time:q
OwnerReference= apiVersion:s blockOwnerDeletion:b controller:b kind:s name:s uid:s
NamespaceSpec= finalizers:s[]
NamespaceStatus= conditions:NamespaceCondition[type] phase:s
NamespaceCondition= lastTransitionTime:q message:s reason:s status:s type:s
NetworkPolicy= apiVersion:s kind:s metadata:ObjectMeta spec:NetworkPolicySpec
NetworkPolicySpec= egress:NetworkPolicyEgressRule[] ingress:NetworkPolicyIngressRule[] podSelector:LabelSelector!
  policyTypes:s[]
NetworkPolicyEgressRule= ports:NetworkPolicyPort[] to:NetworkPolicyPeer[]
NetworkPolicyPort= endPort:i port:q protocol:s
NetworkPolicyPeer= ipBlock:IPBlock namespaceSelector:LabelSelector! podSelector:LabelSelector!
IPBlock= cidr:s except:s[]
LabelSelector= matchExpressions:LabelSelectorRequirement[] matchLabels:s{}
LabelSelectorRequirement= key:s operator:s values:s[]
NetworkPolicyIngressRule= from:NetworkPolicyPeer[] ports:NetworkPolicyPort[]
PrometheusRule= apiVersion:s kind:s metadata:ObjectMeta spec:PrometheusRuleSpec
PrometheusRuleSpec= groups:RuleGroup[name]
RuleGroup= interval:s name:s rules:Rule[]
Rule= alert:s annotations:s{} expr:q for:s keep_firing_for:s labels:s{} record:s
ServiceAccount= apiVersion:s automountServiceAccountToken:b imagePullSecrets:LocalObjectReference![] kind:s
  metadata:ObjectMeta secrets:ObjectReference![name]
LocalObjectReference= name:s
ObjectReference= apiVersion:s fieldPath:s kind:s name:s namespace:s resourceVersion:s uid:s
Secret= apiVersion:s data:s{} immutable:b kind:s metadata:ObjectMeta stringData:s{} type:s
ConfigMap= apiVersion:s binaryData:s{} data:s{} immutable:b kind:s metadata:ObjectMeta
Role= apiVersion:s kind:s metadata:ObjectMeta rules:PolicyRule[]
PolicyRule= apiGroups:s[] nonResourceURLs:s[] resourceNames:s[] resources:s[] verbs:s[]
RoleBinding= apiVersion:s kind:s metadata:ObjectMeta roleRef:RoleRef! subjects:Subject![]
RoleRef= apiGroup:s kind:s name:s
Subject= apiGroup:s kind:s name:s namespace:s
Service= apiVersion:s kind:s metadata:ObjectMeta spec:ServiceSpec status:ServiceStatus
ServiceSpec= allocateLoadBalancerNodePorts:b clusterIP:s clusterIPs:s[] externalIPs:s[] externalName:s
  externalTrafficPolicy:s healthCheckNodePort:i internalTrafficPolicy:s ipFamilies:s[] ipFamilyPolicy:s
  loadBalancerClass:s loadBalancerIP:s loadBalancerSourceRanges:s[] ports:ServicePort[port+protocol]
  publishNotReadyAddresses:b selector:s{}! sessionAffinity:s sessionAffinityConfig:SessionAffinityConfig
  trafficDistribution:s type:s
ServicePort= appProtocol:s name:s nodePort:i port:i protocol:s targetPort:q
SessionAffinityConfig= clientIP:ClientIPConfig
ClientIPConfig= timeoutSeconds:i
ServiceStatus= conditions:Condition[type] loadBalancer:LoadBalancerStatus
Condition= lastTransitionTime:q message:s observedGeneration:i reason:s status:s type:s
LoadBalancerStatus= ingress:LoadBalancerIngress[]
LoadBalancerIngress= hostname:s ip:s ipMode:s ports:PortStatus[]
PortStatus= error:s port:i protocol:s
StatefulSet= apiVersion:s kind:s metadata:ObjectMeta spec:StatefulSetSpec status:StatefulSetStatus
StatefulSetSpec= minReadySeconds:i ordinals:StatefulSetOrdinals
  persistentVolumeClaimRetentionPolicy:StatefulSetPersistentVolumeClaimRetentionPolicy podManagementPolicy:s
  replicas:i revisionHistoryLimit:i selector:LabelSelector! serviceName:s template:PodTemplateSpec
  updateStrategy:StatefulSetUpdateStrategy volumeClaimTemplates:PersistentVolumeClaim[]
StatefulSetOrdinals= start:i
StatefulSetPersistentVolumeClaimRetentionPolicy= whenDeleted:s whenScaled:s
PodTemplateSpec= metadata:ObjectMeta spec:PodSpec
PodSpec= activeDeadlineSeconds:i affinity:Affinity automountServiceAccountToken:b containers:Container[name]
  dnsConfig:PodDNSConfig dnsPolicy:s enableServiceLinks:b ephemeralContainers:a hostAliases:HostAlias[ip] hostIPC:b
  hostNetwork:b hostPID:b hostUsers:b hostname:s hostnameOverride:s imagePullSecrets:LocalObjectReference![name]
  initContainers:Container[name] nodeName:s nodeSelector:s{}! os:PodOS overhead:u{} preemptionPolicy:s priority:i
  priorityClassName:s readinessGates:PodReadinessGate[] resourceClaims:a resources:ResourceRequirements
  restartPolicy:s runtimeClassName:s schedulerName:s schedulingGates:PodSchedulingGate[name]
  securityContext:PodSecurityContext serviceAccount:s serviceAccountName:s setHostnameAsFQDN:b shareProcessNamespace:b
  subdomain:s terminationGracePeriodSeconds:i tolerations:Toleration[]
  topologySpreadConstraints:TopologySpreadConstraint[topologyKey+whenUnsatisfiable] volumes:Volume[name]
Affinity= nodeAffinity:a podAffinity:PodAffinity podAntiAffinity:PodAntiAffinity
PodAffinity= preferredDuringSchedulingIgnoredDuringExecution:WeightedPodAffinityTerm[]
  requiredDuringSchedulingIgnoredDuringExecution:PodAffinityTerm[]
WeightedPodAffinityTerm= podAffinityTerm:PodAffinityTerm weight:i
PodAffinityTerm= labelSelector:LabelSelector! matchLabelKeys:s[] mismatchLabelKeys:s[]
  namespaceSelector:LabelSelector! namespaces:s[] topologyKey:s
PodAntiAffinity= preferredDuringSchedulingIgnoredDuringExecution:WeightedPodAffinityTerm[]
  requiredDuringSchedulingIgnoredDuringExecution:PodAffinityTerm[]
Container= args:s[] command:s[] env:EnvVar[name] envFrom:EnvFromSource[] image:s imagePullPolicy:s lifecycle:Lifecycle
  livenessProbe:Probe name:s ports:ContainerPort[containerPort+protocol] readinessProbe:Probe
  resizePolicy:ContainerResizePolicy[] resources:ResourceRequirements restartPolicy:s restartPolicyRules:a
  securityContext:SecurityContext startupProbe:Probe stdin:b stdinOnce:b terminationMessagePath:s
  terminationMessagePolicy:s tty:b volumeDevices:VolumeDevice[devicePath] volumeMounts:VolumeMount[mountPath]
  workingDir:s
EnvVar= name:s value:s valueFrom:EnvVarSource
EnvVarSource= configMapKeyRef:ConfigMapKeySelector! fieldRef:ObjectFieldSelector! fileKeyRef:a
  resourceFieldRef:ResourceFieldSelector! secretKeyRef:SecretKeySelector!
ConfigMapKeySelector= key:s name:s optional:b
ObjectFieldSelector= apiVersion:s fieldPath:s
ResourceFieldSelector= containerName:s divisor:u resource:s
SecretKeySelector= key:s name:s optional:b
EnvFromSource= configMapRef:ConfigMapEnvSource prefix:s secretRef:SecretEnvSource
ConfigMapEnvSource= name:s optional:b
SecretEnvSource= name:s optional:b
Lifecycle= postStart:LifecycleHandler preStop:LifecycleHandler stopSignal:s
LifecycleHandler= exec:ExecAction httpGet:HTTPGetAction sleep:SleepAction tcpSocket:TCPSocketAction
ExecAction= command:s[]
HTTPGetAction= host:s httpHeaders:HTTPHeader[] path:s port:q scheme:s
HTTPHeader= name:s value:s
SleepAction= seconds:i
TCPSocketAction= host:s port:q
Probe= exec:ExecAction failureThreshold:i grpc:GRPCAction httpGet:HTTPGetAction initialDelaySeconds:i periodSeconds:i
  successThreshold:i tcpSocket:TCPSocketAction terminationGracePeriodSeconds:i timeoutSeconds:i
GRPCAction= port:i service:s
ContainerPort= containerPort:i hostIP:s hostPort:i name:s protocol:s
ContainerResizePolicy= resourceName:s restartPolicy:s
ResourceRequirements= claims:a limits:u{} requests:u{}
SecurityContext= allowPrivilegeEscalation:b appArmorProfile:AppArmorProfile capabilities:Capabilities privileged:b
  procMount:s readOnlyRootFilesystem:b runAsGroup:i runAsNonRoot:b runAsUser:i seLinuxOptions:a
  seccompProfile:SeccompProfile windowsOptions:a
AppArmorProfile= localhostProfile:s type:s
Capabilities= add:s[] drop:s[]
SeccompProfile= localhostProfile:s type:s
VolumeDevice= devicePath:s name:s
VolumeMount= mountPath:s mountPropagation:s name:s readOnly:b recursiveReadOnly:s subPath:s subPathExpr:s
PodDNSConfig= nameservers:s[] options:PodDNSConfigOption[] searches:s[]
PodDNSConfigOption= name:s value:s
HostAlias= hostnames:s[] ip:s
PodOS= name:s
PodReadinessGate= conditionType:s
PodSchedulingGate= name:s
PodSecurityContext= appArmorProfile:AppArmorProfile fsGroup:i fsGroupChangePolicy:s runAsGroup:i runAsNonRoot:b
  runAsUser:i seLinuxChangePolicy:s seLinuxOptions:a seccompProfile:SeccompProfile supplementalGroups:i[]
  supplementalGroupsPolicy:s sysctls:a windowsOptions:a
Toleration= effect:s key:s operator:s tolerationSeconds:i value:s
TopologySpreadConstraint= labelSelector:LabelSelector! matchLabelKeys:s[] maxSkew:i minDomains:i nodeAffinityPolicy:s
  nodeTaintsPolicy:s topologyKey:s whenUnsatisfiable:s
Volume= awsElasticBlockStore:a azureDisk:a azureFile:a cephfs:a cinder:a configMap:ConfigMapVolumeSource csi:a
  downwardAPI:DownwardAPIVolumeSource emptyDir:EmptyDirVolumeSource ephemeral:EphemeralVolumeSource fc:a flexVolume:a
  flocker:a gcePersistentDisk:a gitRepo:a glusterfs:a hostPath:a image:a iscsi:a name:s nfs:a
  persistentVolumeClaim:PersistentVolumeClaimVolumeSource photonPersistentDisk:a portworxVolume:a
  projected:ProjectedVolumeSource quobyte:a rbd:a scaleIO:a secret:SecretVolumeSource storageos:a vsphereVolume:a
ConfigMapVolumeSource= defaultMode:i items:KeyToPath[] name:s optional:b
KeyToPath= key:s mode:i path:s
DownwardAPIVolumeSource= defaultMode:i items:DownwardAPIVolumeFile[]
DownwardAPIVolumeFile= fieldRef:ObjectFieldSelector! mode:i path:s resourceFieldRef:ResourceFieldSelector!
EmptyDirVolumeSource= medium:s sizeLimit:u
EphemeralVolumeSource= volumeClaimTemplate:PersistentVolumeClaimTemplate
PersistentVolumeClaimTemplate= metadata:ObjectMeta spec:PersistentVolumeClaimSpec
PersistentVolumeClaimSpec= accessModes:s[] dataSource:a dataSourceRef:a resources:VolumeResourceRequirements
  selector:LabelSelector! storageClassName:s volumeAttributesClassName:s volumeMode:s volumeName:s
VolumeResourceRequirements= limits:u{} requests:u{}
PersistentVolumeClaimVolumeSource= claimName:s readOnly:b
ProjectedVolumeSource= defaultMode:i sources:VolumeProjection[]
VolumeProjection= clusterTrustBundle:a configMap:ConfigMapProjection downwardAPI:DownwardAPIProjection
  podCertificate:a secret:SecretProjection serviceAccountToken:ServiceAccountTokenProjection
ConfigMapProjection= items:KeyToPath[] name:s optional:b
DownwardAPIProjection= items:DownwardAPIVolumeFile[]
SecretProjection= items:KeyToPath[] name:s optional:b
ServiceAccountTokenProjection= audience:s expirationSeconds:i path:s
SecretVolumeSource= defaultMode:i items:KeyToPath[] optional:b secretName:s
StatefulSetUpdateStrategy= rollingUpdate:RollingUpdateStatefulSetStrategy type:s
RollingUpdateStatefulSetStrategy= maxUnavailable:q partition:i
PersistentVolumeClaim= apiVersion:s kind:s metadata:ObjectMeta spec:PersistentVolumeClaimSpec
  status:PersistentVolumeClaimStatus
PersistentVolumeClaimStatus= accessModes:s[] allocatedResourceStatuses:s{} allocatedResources:u{} capacity:u{}
  conditions:PersistentVolumeClaimCondition[type] currentVolumeAttributesClassName:s modifyVolumeStatus:a phase:s
PersistentVolumeClaimCondition= lastProbeTime:q lastTransitionTime:q message:s reason:s status:s type:s
StatefulSetStatus= availableReplicas:i collisionCount:i conditions:StatefulSetCondition[type] currentReplicas:i
  currentRevision:s observedGeneration:i readyReplicas:i replicas:i updateRevision:s updatedReplicas:i
StatefulSetCondition= lastTransitionTime:q message:s reason:s status:s type:s
CronJob= apiVersion:s kind:s metadata:ObjectMeta spec:CronJobSpec status:CronJobStatus
CronJobSpec= concurrencyPolicy:s failedJobsHistoryLimit:i jobTemplate:JobTemplateSpec schedule:s
  startingDeadlineSeconds:i successfulJobsHistoryLimit:i suspend:b timeZone:s
JobTemplateSpec= metadata:ObjectMeta spec:JobSpec
JobSpec= activeDeadlineSeconds:i backoffLimit:i backoffLimitPerIndex:i completionMode:s completions:i managedBy:s
  manualSelector:b maxFailedIndexes:i parallelism:i podFailurePolicy:PodFailurePolicy podReplacementPolicy:s
  selector:LabelSelector! successPolicy:SuccessPolicy suspend:b template:PodTemplateSpec ttlSecondsAfterFinished:i
PodFailurePolicy= rules:PodFailurePolicyRule[]
PodFailurePolicyRule= action:s onExitCodes:PodFailurePolicyOnExitCodesRequirement
  onPodConditions:PodFailurePolicyOnPodConditionsPattern[]
PodFailurePolicyOnExitCodesRequirement= containerName:s operator:s values:i[*]
PodFailurePolicyOnPodConditionsPattern= status:s type:s
SuccessPolicy= rules:SuccessPolicyRule[]
SuccessPolicyRule= succeededCount:i succeededIndexes:s
CronJobStatus= active:ObjectReference![] lastScheduleTime:q lastSuccessfulTime:q
Job= apiVersion:s kind:s metadata:ObjectMeta spec:JobSpec status:JobStatus
JobStatus= active:i completedIndexes:s completionTime:q conditions:JobCondition[] failed:i failedIndexes:s ready:i
  startTime:q succeeded:i terminating:i uncountedTerminatedPods:UncountedTerminatedPods
JobCondition= lastProbeTime:q lastTransitionTime:q message:s reason:s status:s type:s
UncountedTerminatedPods= failed:s[*] succeeded:s[*]
Lease= apiVersion:s kind:s metadata:ObjectMeta spec:LeaseSpec
LeaseSpec= acquireTime:q holderIdentity:s leaseDurationSeconds:i leaseTransitions:i preferredHolder:s renewTime:q
  strategy:s
StorageClass= allowVolumeExpansion:b allowedTopologies:TopologySelectorTerm![] apiVersion:s kind:s metadata:ObjectMeta
  mountOptions:s[] parameters:s{} provisioner:s reclaimPolicy:s volumeBindingMode:s
TopologySelectorTerm= matchLabelExpressions:TopologySelectorLabelRequirement[]
TopologySelectorLabelRequirement= key:s values:s[]
Pod= apiVersion:s kind:s metadata:ObjectMeta spec:PodSpec status:PodStatus
PodStatus= conditions:PodCondition[type] containerStatuses:ContainerStatus[]
  ephemeralContainerStatuses:ContainerStatus[] extendedResourceClaimStatus:a hostIP:s hostIPs:HostIP[]
  initContainerStatuses:ContainerStatus[] message:s nominatedNodeName:s observedGeneration:i phase:s podIP:s
  podIPs:PodIP[ip] qosClass:s reason:s resize:s resourceClaimStatuses:a startTime:q
PodCondition= lastProbeTime:q lastTransitionTime:q message:s observedGeneration:i reason:s status:s type:s
ContainerStatus= allocatedResources:u{} allocatedResourcesStatus:a containerID:s image:s imageID:s
  lastState:ContainerState name:s ready:b resources:ResourceRequirements restartCount:i started:b state:ContainerState
  stopSignal:s user:a volumeMounts:a
ContainerState= running:ContainerStateRunning terminated:ContainerStateTerminated waiting:ContainerStateWaiting
ContainerStateRunning= startedAt:q
ContainerStateTerminated= containerID:s exitCode:i finishedAt:q message:s reason:s signal:i startedAt:q
ContainerStateWaiting= message:s reason:s
HostIP= ip:s
PodIP= ip:s
Event= action:s apiVersion:s count:i eventTime:q firstTimestamp:q involvedObject:ObjectReference! kind:s
  lastTimestamp:q message:s metadata:ObjectMeta reason:s related:ObjectReference! reportingComponent:s
  reportingInstance:s series:a source:EventSource type:s
EventSource= component:s host:s
"""

_SCALARS: dict[str, tuple[type, ...]] = {"i": (int,), "b": (bool,), "n": (int, float)}
_KINDS_OF_VALUE = {"s": "string", "q": "string", "u": "string", "i": "numeric", "b": "boolean", "n": "numeric"}
KEY_DEFAULTS = {"protocol": "TCP"}
"""What a list key counts as where it is left out."""


@dataclass(frozen=True, slots=True)
class SchemaField:
    """One field. ``content`` is a scalar letter or a type name; ``keys`` is set for lists merged by keys."""

    content: str
    is_map: bool = False
    is_list: bool = False
    is_set: bool = False
    keys: tuple[str, ...] = ()
    atomic: bool = False
    atomic_items: bool = False

    @property
    def item(self) -> SchemaField:
        """What one entry of the list or map holds."""
        return SchemaField(self.content, atomic=self.atomic_items)


def _field(text: str) -> SchemaField:
    match = re.fullmatch(r"(\w+)(!?)(?:(\{\})|\[([^\]]*)\])?(!?)", text)
    if match is None:
        raise ValueError(f"the schema table has a field that cannot be read: {text}")
    content, inner, is_map, keys, outer = match.groups()
    is_set = keys == "*"
    return SchemaField(
        content,
        is_map=bool(is_map),
        is_list=keys is not None,
        is_set=is_set,
        keys=tuple(keys.split("+")) if keys and not is_set else (),
        atomic=bool(outer) or keys == "" or (bool(inner) and keys is None),
        atomic_items=bool(inner),
    )


@cache
def types() -> dict[str, dict[str, SchemaField]]:
    """Every type of the table, parsed on first use."""
    result = {}
    for line in _TABLE.strip().replace("\n  ", " ").splitlines():
        name, _, fields = line.partition("= ")
        pairs = (field.split(":", 1) for field in fields.split())
        result[name] = {key: _field(content) for key, content in pairs}
    return result


def field_of(parent: SchemaField, key: str) -> SchemaField | None:
    """The field ``key`` of a structure or map; None where the parent does not have it."""
    if parent.is_map:
        return parent.item
    if parent.content == "a":
        return SchemaField("a", atomic=True)
    return types().get(parent.content, {}).get(key)


def root(kind: str) -> SchemaField:
    """The field that a whole object of this kind is; anything at all for a kind the table lacks."""
    return SchemaField(kind) if kind in types() else SchemaField("a", atomic=True)


def key_of(item: dict[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    """The keys that identify an item of a list, in the order in which the server prints them."""
    return {key: item.get(key, KEY_DEFAULTS.get(key)) for key in sorted(keys) if key in item or key in KEY_DEFAULTS}


def _step(item: Any, parent: SchemaField, index: int, *, by_key: bool) -> str:
    if by_key and parent.keys and isinstance(item, dict):
        keys = ",".join(
            f'{k}="{v}"' if isinstance(v, str) else f"{k}={v}" for k, v in key_of(item, parent.keys).items()
        )
        return f"[{keys}]"
    return f"[{index}]"


def unknown_fields(value: Any, field: SchemaField, path: str = "", *, by_key: bool = False) -> Iterator[str]:
    """The paths, deepest first, that the type lacks. by_key: ``containers[name="c"]``, not ``containers[0]``."""
    if field.content == "a" or value is None:
        return
    if field.is_list:
        for index, item in enumerate(value if isinstance(value, list) else ()):
            yield from unknown_fields(item, field.item, path + _step(item, field, index, by_key=by_key), by_key=by_key)
        return
    if not isinstance(value, dict):
        return
    here = []
    for key, item in value.items():
        below = field_of(field, key)
        if below is None:
            here.append(f"{path}.{key}")
        else:
            yield from unknown_fields(item, below, f"{path}.{key}", by_key=by_key)
    yield from here


def wrong_types(value: Any, field: SchemaField, path: str = "") -> Iterator[tuple[str, str, Any]]:
    """(path, expected, value) for each value of the wrong JSON type."""
    if field.content == "a" or value is None:
        return
    if field.is_list:
        if not isinstance(value, list):
            yield path, "list", value
            return
        for index, item in enumerate(value):
            yield from wrong_types(item, field.item, path + _step(item, field, index, by_key=True))
    elif field.is_map or field.content not in _KINDS_OF_VALUE:
        if not isinstance(value, dict):
            yield path, "map", value
            return
        for key, item in value.items():
            below = field_of(field, key)
            if below is not None:
                yield from wrong_types(item, below, f"{path}.{key}")
    elif not _fits(value, field.content):
        yield path, _KINDS_OF_VALUE[field.content], value


def _fits(value: Any, content: str) -> bool:
    if content in {"s", "q", "u"}:
        return isinstance(value, str if content == "s" else str | int | float) and not isinstance(value, bool)
    return isinstance(value, _SCALARS[content]) and (content == "b" or not isinstance(value, bool))


def normal(value: Any, field: SchemaField) -> Any:
    """The value as the server stores it: without nulls, empty lists and empty maps, quantities in their one form."""
    if isinstance(value, list):
        return [normal(item, field.item) for item in value]
    if field.content == "u" and not isinstance(value, dict):
        return canonical(value)
    if not isinstance(value, dict) or field.content == "a":
        return value
    result = {}
    for key, item in value.items():
        below = field_of(field, key) or SchemaField("a")
        value_ = normal(item, below)
        if value_ is None or (value_ in ({}, []) and (below.is_map or below.is_list)):
            continue
        result[key] = value_
    return result


def comparable(value: Any, field: SchemaField) -> Any:
    """The value with numbers in place of quantities, to be compared as the server compares."""
    if isinstance(value, list):
        return [comparable(item, field.item) for item in value]
    if isinstance(value, dict) and field.content != "a":
        return {key: comparable(item, field_of(field, key) or SchemaField("a")) for key, item in value.items()}
    return amount(value) if field.content == "u" else value
