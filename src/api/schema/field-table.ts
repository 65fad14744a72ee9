/**
 * The wire shape of every served kind, one message a line: `name field:number:type[:flags]…`.
 * The facts are those of the generated.proto files and Go struct tags of k8s.io/api 0.35.
 *
 * Flags: `r` list, `m` map of strings to the type, `i` inlined in JSON, `p` a pointer in Go, so that zero
 * and absent differ; `merge[=key]` strategic merge (patchStrategy, patchMergeKey), `retainKeys`;
 * `keys=a+b`, `set`, `atomic` server-side apply's listType and mapType. `!atomic` after a message's name:
 * it is applied as a whole.
 */
export const FIELD_TABLE: string = `
apps.v1.ControllerRevision metadata:1:meta.ObjectMeta data:2:RawExtension revision:3:int64
apps.v1.DaemonSet metadata:1:meta.ObjectMeta spec:2:apps.v1.DaemonSetSpec status:3:apps.v1.DaemonSetStatus
apps.v1.DaemonSetCondition type:1:string status:2:string lastTransitionTime:3:Time reason:4:string message:5:string
apps.v1.DaemonSetSpec selector:1:meta.LabelSelector:p template:2:core.v1.PodTemplateSpec updateStrategy:3:apps.v1.DaemonSetUpdateStrategy minReadySeconds:4:int32 revisionHistoryLimit:6:int32:p
apps.v1.DaemonSetStatus currentNumberScheduled:1:int32 numberMisscheduled:2:int32 desiredNumberScheduled:3:int32 numberReady:4:int32 observedGeneration:5:int64 updatedNumberScheduled:6:int32 numberAvailable:7:int32 numberUnavailable:8:int32 collisionCount:9:int32:p conditions:10:apps.v1.DaemonSetCondition:r,merge=type,keys=type
apps.v1.DaemonSetUpdateStrategy type:1:string rollingUpdate:2:apps.v1.RollingUpdateDaemonSet:p
apps.v1.Deployment metadata:1:meta.ObjectMeta spec:2:apps.v1.DeploymentSpec status:3:apps.v1.DeploymentStatus
apps.v1.DeploymentCondition type:1:string status:2:string reason:4:string message:5:string lastUpdateTime:6:Time lastTransitionTime:7:Time
apps.v1.DeploymentSpec replicas:1:int32:p selector:2:meta.LabelSelector:p template:3:core.v1.PodTemplateSpec strategy:4:apps.v1.DeploymentStrategy:retainKeys minReadySeconds:5:int32 revisionHistoryLimit:6:int32:p paused:7:bool progressDeadlineSeconds:9:int32:p
apps.v1.DeploymentStatus observedGeneration:1:int64 replicas:2:int32 updatedReplicas:3:int32 availableReplicas:4:int32 unavailableReplicas:5:int32 conditions:6:apps.v1.DeploymentCondition:r,merge=type,keys=type readyReplicas:7:int32 collisionCount:8:int32:p terminatingReplicas:9:int32:p
apps.v1.DeploymentStrategy type:1:string rollingUpdate:2:apps.v1.RollingUpdateDeployment:p
apps.v1.ReplicaSet metadata:1:meta.ObjectMeta spec:2:apps.v1.ReplicaSetSpec status:3:apps.v1.ReplicaSetStatus
apps.v1.ReplicaSetCondition type:1:string status:2:string lastTransitionTime:3:Time reason:4:string message:5:string
apps.v1.ReplicaSetSpec replicas:1:int32:p selector:2:meta.LabelSelector:p template:3:core.v1.PodTemplateSpec minReadySeconds:4:int32
apps.v1.ReplicaSetStatus replicas:1:int32 fullyLabeledReplicas:2:int32 observedGeneration:3:int64 readyReplicas:4:int32 availableReplicas:5:int32 conditions:6:apps.v1.ReplicaSetCondition:r,merge=type,keys=type terminatingReplicas:7:int32:p
apps.v1.RollingUpdateDaemonSet maxUnavailable:1:IntOrString:p maxSurge:2:IntOrString:p
apps.v1.RollingUpdateDeployment maxUnavailable:1:IntOrString:p maxSurge:2:IntOrString:p
apps.v1.RollingUpdateStatefulSetStrategy partition:1:int32:p maxUnavailable:2:IntOrString:p
apps.v1.StatefulSet metadata:1:meta.ObjectMeta spec:2:apps.v1.StatefulSetSpec status:3:apps.v1.StatefulSetStatus
apps.v1.StatefulSetCondition type:1:string status:2:string lastTransitionTime:3:Time reason:4:string message:5:string
apps.v1.StatefulSetOrdinals start:1:int32
apps.v1.StatefulSetPersistentVolumeClaimRetentionPolicy whenDeleted:1:string whenScaled:2:string
apps.v1.StatefulSetSpec replicas:1:int32:p selector:2:meta.LabelSelector:p template:3:core.v1.PodTemplateSpec volumeClaimTemplates:4:core.v1.PersistentVolumeClaim:r serviceName:5:string podManagementPolicy:6:string updateStrategy:7:apps.v1.StatefulSetUpdateStrategy revisionHistoryLimit:8:int32:p minReadySeconds:9:int32 persistentVolumeClaimRetentionPolicy:10:apps.v1.StatefulSetPersistentVolumeClaimRetentionPolicy:p ordinals:11:apps.v1.StatefulSetOrdinals:p
apps.v1.StatefulSetStatus observedGeneration:1:int64 replicas:2:int32 readyReplicas:3:int32 currentReplicas:4:int32 updatedReplicas:5:int32 currentRevision:6:string updateRevision:7:string collisionCount:9:int32:p conditions:10:apps.v1.StatefulSetCondition:r,merge=type,keys=type availableReplicas:11:int32
apps.v1.StatefulSetUpdateStrategy type:1:string rollingUpdate:2:apps.v1.RollingUpdateStatefulSetStrategy:p
authentication.v1.SelfSubjectReview metadata:1:meta.ObjectMeta
authorization.v1.NonResourceAttributes path:1:string verb:2:string
authorization.v1.ResourceAttributes namespace:1:string verb:2:string group:3:string version:4:string resource:5:string subresource:6:string name:7:string
authorization.v1.SelfSubjectAccessReview metadata:1:meta.ObjectMeta spec:2:authorization.v1.SelfSubjectAccessReviewSpec
authorization.v1.SelfSubjectAccessReviewSpec resourceAttributes:1:authorization.v1.ResourceAttributes:p nonResourceAttributes:2:authorization.v1.NonResourceAttributes:p
authorization.v1.SelfSubjectRulesReview metadata:1:meta.ObjectMeta spec:2:authorization.v1.SelfSubjectRulesReviewSpec
authorization.v1.SelfSubjectRulesReviewSpec namespace:1:string
autoscaling.v1.Scale metadata:1:meta.ObjectMeta spec:2:autoscaling.v1.ScaleSpec status:3:autoscaling.v1.ScaleStatus
autoscaling.v1.ScaleSpec replicas:1:int32
autoscaling.v1.ScaleStatus replicas:1:int32 selector:2:string
coordination.v1.Lease metadata:1:meta.ObjectMeta spec:2:coordination.v1.LeaseSpec
coordination.v1.LeaseSpec holderIdentity:1:string:p leaseDurationSeconds:2:int32:p acquireTime:3:MicroTime:p renewTime:4:MicroTime:p leaseTransitions:5:int32:p strategy:6:string:p preferredHolder:7:string:p
core.v1.AWSElasticBlockStoreVolumeSource volumeID:1:string fsType:2:string partition:3:int32 readOnly:4:bool
core.v1.Affinity nodeAffinity:1:core.v1.NodeAffinity:p podAffinity:2:core.v1.PodAffinity:p podAntiAffinity:3:core.v1.PodAntiAffinity:p
core.v1.AppArmorProfile type:1:string localhostProfile:2:string:p
core.v1.AttachedVolume name:1:string devicePath:2:string
core.v1.AzureDiskVolumeSource diskName:1:string diskURI:2:string cachingMode:3:string:p fsType:4:string:p readOnly:5:bool:p kind:6:string:p
core.v1.AzureFileVolumeSource secretName:1:string shareName:2:string readOnly:3:bool
core.v1.Binding metadata:1:meta.ObjectMeta target:2:core.v1.ObjectReference
core.v1.CSIVolumeSource driver:1:string readOnly:2:bool:p fsType:3:string:p volumeAttributes:4:string:m nodePublishSecretRef:5:core.v1.LocalObjectReference:p
core.v1.Capabilities add:1:string:r drop:2:string:r
core.v1.CephFSVolumeSource monitors:1:string:r path:2:string user:3:string secretFile:4:string secretRef:5:core.v1.LocalObjectReference:p readOnly:6:bool
core.v1.CinderVolumeSource volumeID:1:string fsType:2:string readOnly:3:bool secretRef:4:core.v1.LocalObjectReference:p
core.v1.ClientIPConfig timeoutSeconds:1:int32:p
core.v1.ClusterTrustBundleProjection name:1:string:p signerName:2:string:p labelSelector:3:meta.LabelSelector:p path:4:string optional:5:bool:p user:6:int64:p
core.v1.ConfigMap metadata:1:meta.ObjectMeta data:2:string:m binaryData:3:bytes:m immutable:4:bool:p
core.v1.ConfigMapEnvSource localObjectReference:1:core.v1.LocalObjectReference:i optional:2:bool:p
core.v1.ConfigMapKeySelector!atomic localObjectReference:1:core.v1.LocalObjectReference:i key:2:string optional:3:bool:p
core.v1.ConfigMapNodeConfigSource namespace:1:string name:2:string uid:3:string resourceVersion:4:string kubeletConfigKey:5:string
core.v1.ConfigMapProjection localObjectReference:1:core.v1.LocalObjectReference:i items:2:core.v1.KeyToPath:r optional:4:bool:p
core.v1.ConfigMapVolumeSource localObjectReference:1:core.v1.LocalObjectReference:i items:2:core.v1.KeyToPath:r defaultMode:3:int32:p optional:4:bool:p defaultUser:5:int64:p
core.v1.Container name:1:string image:2:string command:3:string:r args:4:string:r workingDir:5:string ports:6:core.v1.ContainerPort:r,merge=containerPort,keys=containerPort+protocol env:7:core.v1.EnvVar:r,merge=name,keys=name resources:8:core.v1.ResourceRequirements volumeMounts:9:core.v1.VolumeMount:r,merge=mountPath,keys=mountPath livenessProbe:10:core.v1.Probe:p readinessProbe:11:core.v1.Probe:p lifecycle:12:core.v1.Lifecycle:p terminationMessagePath:13:string imagePullPolicy:14:string securityContext:15:core.v1.SecurityContext:p stdin:16:bool stdinOnce:17:bool tty:18:bool envFrom:19:core.v1.EnvFromSource:r terminationMessagePolicy:20:string volumeDevices:21:core.v1.VolumeDevice:r,merge=devicePath,keys=devicePath startupProbe:22:core.v1.Probe:p resizePolicy:23:core.v1.ContainerResizePolicy:r restartPolicy:24:string:p restartPolicyRules:25:core.v1.ContainerRestartRule:r
core.v1.ContainerExtendedResourceRequest containerName:1:string resourceName:2:string requestName:3:string
core.v1.ContainerImage names:1:string:r sizeBytes:2:int64
core.v1.ContainerPort name:1:string hostPort:2:int32 containerPort:3:int32 protocol:4:string hostIP:5:string
core.v1.ContainerResizePolicy resourceName:1:string restartPolicy:2:string
core.v1.ContainerRestartRule action:1:string exitCodes:2:core.v1.ContainerRestartRuleOnExitCodes:p
core.v1.ContainerRestartRuleOnExitCodes operator:1:string values:2:int32:r,set
core.v1.ContainerState waiting:1:core.v1.ContainerStateWaiting:p running:2:core.v1.ContainerStateRunning:p terminated:3:core.v1.ContainerStateTerminated:p
core.v1.ContainerStateRunning startedAt:1:Time
core.v1.ContainerStateTerminated exitCode:1:int32 signal:2:int32 reason:3:string message:4:string startedAt:5:Time finishedAt:6:Time containerID:7:string
core.v1.ContainerStateWaiting reason:1:string message:2:string
core.v1.ContainerStatus name:1:string state:2:core.v1.ContainerState lastState:3:core.v1.ContainerState ready:4:bool restartCount:5:int32 image:6:string imageID:7:string containerID:8:string started:9:bool:p allocatedResources:10:Quantity:m resources:11:core.v1.ResourceRequirements:p volumeMounts:12:core.v1.VolumeMountStatus:r,merge=mountPath,keys=mountPath user:13:core.v1.ContainerUser:p allocatedResourcesStatus:14:core.v1.ResourceStatus:r,merge=name,keys=name stopSignal:15:string:p
core.v1.ContainerUser linux:1:core.v1.LinuxContainerUser:p
core.v1.DaemonEndpoint Port:1:int32
core.v1.DownwardAPIProjection items:1:core.v1.DownwardAPIVolumeFile:r
core.v1.DownwardAPIVolumeFile path:1:string fieldRef:2:core.v1.ObjectFieldSelector:p resourceFieldRef:3:core.v1.ResourceFieldSelector:p mode:4:int32:p user:5:int64:p
core.v1.DownwardAPIVolumeSource items:1:core.v1.DownwardAPIVolumeFile:r defaultMode:2:int32:p defaultUser:3:int64:p
core.v1.EmptyDirVolumeSource medium:1:string sizeLimit:2:Quantity:p mode:3:int32:p
core.v1.EndpointAddress!atomic ip:1:string targetRef:2:core.v1.ObjectReference:p hostname:3:string nodeName:4:string:p
core.v1.EndpointPort!atomic name:1:string port:2:int32 protocol:3:string appProtocol:4:string:p
core.v1.EndpointSubset addresses:1:core.v1.EndpointAddress:r notReadyAddresses:2:core.v1.EndpointAddress:r ports:3:core.v1.EndpointPort:r
core.v1.Endpoints metadata:1:meta.ObjectMeta subsets:2:core.v1.EndpointSubset:r
core.v1.EnvFromSource prefix:1:string configMapRef:2:core.v1.ConfigMapEnvSource:p secretRef:3:core.v1.SecretEnvSource:p
core.v1.EnvVar name:1:string value:2:string valueFrom:3:core.v1.EnvVarSource:p
core.v1.EnvVarSource fieldRef:1:core.v1.ObjectFieldSelector:p resourceFieldRef:2:core.v1.ResourceFieldSelector:p configMapKeyRef:3:core.v1.ConfigMapKeySelector:p secretKeyRef:4:core.v1.SecretKeySelector:p fileKeyRef:5:core.v1.FileKeySelector:p
core.v1.EphemeralContainer ephemeralContainerCommon:1:core.v1.EphemeralContainerCommon:i targetContainerName:2:string
core.v1.EphemeralContainerCommon name:1:string image:2:string command:3:string:r args:4:string:r workingDir:5:string ports:6:core.v1.ContainerPort:r env:7:core.v1.EnvVar:r resources:8:core.v1.ResourceRequirements volumeMounts:9:core.v1.VolumeMount:r livenessProbe:10:core.v1.Probe:p readinessProbe:11:core.v1.Probe:p lifecycle:12:core.v1.Lifecycle:p terminationMessagePath:13:string imagePullPolicy:14:string securityContext:15:core.v1.SecurityContext:p stdin:16:bool stdinOnce:17:bool tty:18:bool envFrom:19:core.v1.EnvFromSource:r terminationMessagePolicy:20:string volumeDevices:21:core.v1.VolumeDevice:r startupProbe:22:core.v1.Probe:p resizePolicy:23:core.v1.ContainerResizePolicy:r restartPolicy:24:string:p restartPolicyRules:25:core.v1.ContainerRestartRule:r
core.v1.EphemeralVolumeSource volumeClaimTemplate:1:core.v1.PersistentVolumeClaimTemplate:p
core.v1.Event metadata:1:meta.ObjectMeta involvedObject:2:core.v1.ObjectReference reason:3:string message:4:string source:5:core.v1.EventSource firstTimestamp:6:Time lastTimestamp:7:Time count:8:int32 type:9:string eventTime:10:MicroTime series:11:core.v1.EventSeries:p action:12:string related:13:core.v1.ObjectReference:p reportingComponent:14:string reportingInstance:15:string
core.v1.EventSeries count:1:int32 lastObservedTime:2:MicroTime
core.v1.EventSource component:1:string host:2:string
core.v1.EvictionResponder name:1:string priority:2:int32:p
core.v1.ExecAction command:1:string:r
core.v1.FCVolumeSource targetWWNs:1:string:r lun:2:int32:p fsType:3:string readOnly:4:bool wwids:5:string:r
core.v1.FileKeySelector!atomic volumeName:1:string path:2:string key:3:string optional:4:bool:p
core.v1.FlexVolumeSource driver:1:string fsType:2:string secretRef:3:core.v1.LocalObjectReference:p readOnly:4:bool options:5:string:m
core.v1.FlockerVolumeSource datasetName:1:string datasetUUID:2:string
core.v1.GCEPersistentDiskVolumeSource pdName:1:string fsType:2:string partition:3:int32 readOnly:4:bool
core.v1.GRPCAction port:1:int32 service:2:string:p mode:3:string:p
core.v1.GitRepoVolumeSource repository:1:string revision:2:string directory:3:string
core.v1.GlusterfsVolumeSource endpoints:1:string path:2:string readOnly:3:bool
core.v1.HTTPGetAction path:1:string port:2:IntOrString host:3:string scheme:4:string httpHeaders:5:core.v1.HTTPHeader:r protocol:6:string:p
core.v1.HTTPHeader name:1:string value:2:string
core.v1.HostAlias ip:1:string hostnames:2:string:r
core.v1.HostIP ip:1:string
core.v1.HostPathVolumeSource path:1:string type:2:string:p
core.v1.ISCSIVolumeSource targetPortal:1:string iqn:2:string lun:3:int32 iscsiInterface:4:string fsType:5:string readOnly:6:bool portals:7:string:r chapAuthDiscovery:8:bool secretRef:10:core.v1.LocalObjectReference:p chapAuthSession:11:bool initiatorName:12:string:p
core.v1.ImageVolumeSource reference:1:string pullPolicy:2:string
core.v1.ImageVolumeStatus imageRef:1:string
core.v1.KeyToPath key:1:string path:2:string mode:3:int32:p user:4:int64:p
core.v1.Lifecycle postStart:1:core.v1.LifecycleHandler:p preStop:2:core.v1.LifecycleHandler:p stopSignal:3:string:p
core.v1.LifecycleHandler exec:1:core.v1.ExecAction:p httpGet:2:core.v1.HTTPGetAction:p tcpSocket:3:core.v1.TCPSocketAction:p sleep:4:core.v1.SleepAction:p
core.v1.LinuxContainerUser uid:1:int64 gid:2:int64 supplementalGroups:3:int64:r
core.v1.LoadBalancerIngress ip:1:string hostname:2:string ipMode:3:string:p ports:4:core.v1.PortStatus:r
core.v1.LoadBalancerStatus ingress:1:core.v1.LoadBalancerIngress:r
core.v1.LocalObjectReference!atomic name:1:string
core.v1.ModifyVolumeStatus targetVolumeAttributesClassName:1:string status:2:string
core.v1.NFSVolumeSource server:1:string path:2:string readOnly:3:bool
core.v1.Namespace metadata:1:meta.ObjectMeta spec:2:core.v1.NamespaceSpec status:3:core.v1.NamespaceStatus
core.v1.NamespaceCondition type:1:string status:2:string lastTransitionTime:4:Time reason:5:string message:6:string
core.v1.NamespaceSpec finalizers:1:string:r
core.v1.NamespaceStatus phase:1:string conditions:2:core.v1.NamespaceCondition:r,merge=type,keys=type
core.v1.Node metadata:1:meta.ObjectMeta spec:2:core.v1.NodeSpec status:3:core.v1.NodeStatus
core.v1.NodeAddress type:1:string address:2:string
core.v1.NodeAffinity requiredDuringSchedulingIgnoredDuringExecution:1:core.v1.NodeSelector:p preferredDuringSchedulingIgnoredDuringExecution:2:core.v1.PreferredSchedulingTerm:r
core.v1.NodeAllocatableMappedResources name:1:string quantity:2:Quantity:p
core.v1.NodeAllocatableOverheadResources name:1:string perPod:2:Quantity:p perContainer:3:Quantity:p
core.v1.NodeAllocatableResourceClaimStatus resourceClaimName:1:string containers:2:string:r,set mapping:4:core.v1.NodeAllocatableMappedResources:r overhead:5:core.v1.NodeAllocatableOverheadResources:r
core.v1.NodeCondition type:1:string status:2:string lastHeartbeatTime:3:Time lastTransitionTime:4:Time reason:5:string message:6:string
core.v1.NodeConfigSource configMap:2:core.v1.ConfigMapNodeConfigSource:p
core.v1.NodeConfigStatus assigned:1:core.v1.NodeConfigSource:p active:2:core.v1.NodeConfigSource:p lastKnownGood:3:core.v1.NodeConfigSource:p error:4:string
core.v1.NodeDaemonEndpoints kubeletEndpoint:1:core.v1.DaemonEndpoint
core.v1.NodeFeatures supplementalGroupsPolicy:1:bool:p
core.v1.NodePodPreemptionPolicy disableResizePreemption:1:string:r
core.v1.NodeRuntimeHandler name:1:string features:2:core.v1.NodeRuntimeHandlerFeatures:p
core.v1.NodeRuntimeHandlerFeatures recursiveReadOnlyMounts:1:bool:p userNamespaces:2:bool:p
core.v1.NodeSelector!atomic nodeSelectorTerms:1:core.v1.NodeSelectorTerm:r
core.v1.NodeSelectorRequirement key:1:string operator:2:string values:3:string:r
core.v1.NodeSelectorTerm!atomic matchExpressions:1:core.v1.NodeSelectorRequirement:r matchFields:2:core.v1.NodeSelectorRequirement:r
core.v1.NodeSpec podCIDR:1:string externalID:2:string providerID:3:string unschedulable:4:bool taints:5:core.v1.Taint:r configSource:6:core.v1.NodeConfigSource:p podCIDRs:7:string:r,merge,set podPreemptionPolicy:8:core.v1.NodePodPreemptionPolicy:p
core.v1.NodeStatus capacity:1:Quantity:m allocatable:2:Quantity:m phase:3:string conditions:4:core.v1.NodeCondition:r,merge=type,keys=type addresses:5:core.v1.NodeAddress:r,merge=type,keys=type daemonEndpoints:6:core.v1.NodeDaemonEndpoints nodeInfo:7:core.v1.NodeSystemInfo images:8:core.v1.ContainerImage:r volumesInUse:9:string:r volumesAttached:10:core.v1.AttachedVolume:r config:11:core.v1.NodeConfigStatus:p runtimeHandlers:12:core.v1.NodeRuntimeHandler:r features:13:core.v1.NodeFeatures:p declaredFeatures:14:string:r
core.v1.NodeSwapStatus capacity:1:int64:p
core.v1.NodeSystemInfo machineID:1:string systemUUID:2:string bootID:3:string kernelVersion:4:string osImage:5:string containerRuntimeVersion:6:string kubeletVersion:7:string kubeProxyVersion:8:string operatingSystem:9:string architecture:10:string swap:11:core.v1.NodeSwapStatus:p
core.v1.ObjectFieldSelector!atomic apiVersion:1:string fieldPath:2:string
core.v1.ObjectReference!atomic kind:1:string namespace:2:string name:3:string uid:4:string apiVersion:5:string resourceVersion:6:string fieldPath:7:string
core.v1.PersistentVolumeClaim metadata:1:meta.ObjectMeta spec:2:core.v1.PersistentVolumeClaimSpec status:3:core.v1.PersistentVolumeClaimStatus
core.v1.PersistentVolumeClaimCondition type:1:string status:2:string lastProbeTime:3:Time lastTransitionTime:4:Time reason:5:string message:6:string
core.v1.PersistentVolumeClaimSpec accessModes:1:string:r resources:2:core.v1.VolumeResourceRequirements volumeName:3:string selector:4:meta.LabelSelector:p storageClassName:5:string:p volumeMode:6:string:p dataSource:7:core.v1.TypedLocalObjectReference:p dataSourceRef:8:core.v1.TypedObjectReference:p volumeAttributesClassName:9:string:p
core.v1.PersistentVolumeClaimStatus phase:1:string accessModes:2:string:r capacity:3:Quantity:m conditions:4:core.v1.PersistentVolumeClaimCondition:r,merge=type,keys=type allocatedResources:5:Quantity:m allocatedResourceStatuses:7:string:m currentVolumeAttributesClassName:8:string:p modifyVolumeStatus:9:core.v1.ModifyVolumeStatus:p healthStatus:10:core.v1.VolumeHealthStatus:p
core.v1.PersistentVolumeClaimTemplate metadata:1:meta.ObjectMeta spec:2:core.v1.PersistentVolumeClaimSpec
core.v1.PersistentVolumeClaimVolumeSource claimName:1:string readOnly:2:bool
core.v1.PhotonPersistentDiskVolumeSource pdID:1:string fsType:2:string
core.v1.Pod metadata:1:meta.ObjectMeta spec:2:core.v1.PodSpec status:3:core.v1.PodStatus
core.v1.PodAffinity requiredDuringSchedulingIgnoredDuringExecution:1:core.v1.PodAffinityTerm:r preferredDuringSchedulingIgnoredDuringExecution:2:core.v1.WeightedPodAffinityTerm:r
core.v1.PodAffinityTerm labelSelector:1:meta.LabelSelector:p namespaces:2:string:r topologyKey:3:string namespaceSelector:4:meta.LabelSelector:p matchLabelKeys:5:string:r mismatchLabelKeys:6:string:r
core.v1.PodAntiAffinity requiredDuringSchedulingIgnoredDuringExecution:1:core.v1.PodAffinityTerm:r preferredDuringSchedulingIgnoredDuringExecution:2:core.v1.WeightedPodAffinityTerm:r
core.v1.PodCertificateProjection signerName:1:string keyType:2:string maxExpirationSeconds:3:int32:p credentialBundlePath:4:string keyPath:5:string certificateChainPath:6:string userAnnotations:7:string:m user:8:int64:p
core.v1.PodCondition type:1:string status:2:string lastProbeTime:3:Time lastTransitionTime:4:Time reason:5:string message:6:string observedGeneration:7:int64
core.v1.PodDNSConfig nameservers:1:string:r searches:2:string:r options:3:core.v1.PodDNSConfigOption:r
core.v1.PodDNSConfigOption name:1:string value:2:string:p
core.v1.PodExtendedResourceClaimStatus requestMappings:1:core.v1.ContainerExtendedResourceRequest:r resourceClaimName:2:string
core.v1.PodIP ip:1:string
core.v1.PodOS name:1:string
core.v1.PodReadinessGate conditionType:1:string
core.v1.PodResourceClaim name:1:string resourceClaimName:3:string:p resourceClaimTemplateName:4:string:p
core.v1.PodResourceClaimStatus name:1:string resourceClaimName:2:string:p
core.v1.PodSchedulingGate name:1:string
core.v1.PodSchedulingGroup podGroupName:1:string:p
core.v1.PodSecurityContext seLinuxOptions:1:core.v1.SELinuxOptions:p runAsUser:2:int64:p runAsNonRoot:3:bool:p supplementalGroups:4:int64:r fsGroup:5:int64:p runAsGroup:6:int64:p sysctls:7:core.v1.Sysctl:r windowsOptions:8:core.v1.WindowsSecurityContextOptions:p fsGroupChangePolicy:9:string:p seccompProfile:10:core.v1.SeccompProfile:p appArmorProfile:11:core.v1.AppArmorProfile:p supplementalGroupsPolicy:12:string:p seLinuxChangePolicy:13:string:p
core.v1.PodSpec volumes:1:core.v1.Volume:r,merge=name,retainKeys,keys=name containers:2:core.v1.Container:r,merge=name,keys=name restartPolicy:3:string terminationGracePeriodSeconds:4:int64:p activeDeadlineSeconds:5:int64:p dnsPolicy:6:string nodeSelector:7:string:m,atomic serviceAccountName:8:string serviceAccount:9:string nodeName:10:string hostNetwork:11:bool hostPID:12:bool hostIPC:13:bool securityContext:14:core.v1.PodSecurityContext:p imagePullSecrets:15:core.v1.LocalObjectReference:r,merge=name,keys=name hostname:16:string subdomain:17:string affinity:18:core.v1.Affinity:p schedulerName:19:string initContainers:20:core.v1.Container:r,merge=name,keys=name automountServiceAccountToken:21:bool:p tolerations:22:core.v1.Toleration:r hostAliases:23:core.v1.HostAlias:r,merge=ip,keys=ip priorityClassName:24:string priority:25:int32:p dnsConfig:26:core.v1.PodDNSConfig:p shareProcessNamespace:27:bool:p readinessGates:28:core.v1.PodReadinessGate:r runtimeClassName:29:string:p enableServiceLinks:30:bool:p preemptionPolicy:31:string:p overhead:32:Quantity:m topologySpreadConstraints:33:core.v1.TopologySpreadConstraint:r,merge=topologyKey,keys=topologyKey+whenUnsatisfiable ephemeralContainers:34:core.v1.EphemeralContainer:r,merge=name,keys=name setHostnameAsFQDN:35:bool:p os:36:core.v1.PodOS:p hostUsers:37:bool:p schedulingGates:38:core.v1.PodSchedulingGate:r,merge=name,keys=name resourceClaims:39:core.v1.PodResourceClaim:r,merge=name,retainKeys,keys=name resources:40:core.v1.ResourceRequirements:p hostnameOverride:41:string:p schedulingGroup:43:core.v1.PodSchedulingGroup:p evictionResponders:44:core.v1.EvictionResponder:r
core.v1.PodStatus phase:1:string conditions:2:core.v1.PodCondition:r,merge=type,keys=type message:3:string reason:4:string hostIP:5:string podIP:6:string startTime:7:Time:p containerStatuses:8:core.v1.ContainerStatus:r qosClass:9:string initContainerStatuses:10:core.v1.ContainerStatus:r nominatedNodeName:11:string podIPs:12:core.v1.PodIP:r,merge=ip,keys=ip ephemeralContainerStatuses:13:core.v1.ContainerStatus:r resize:14:string resourceClaimStatuses:15:core.v1.PodResourceClaimStatus:r,merge=name,retainKeys,keys=name hostIPs:16:core.v1.HostIP:r,merge=ip observedGeneration:17:int64 extendedResourceClaimStatus:18:core.v1.PodExtendedResourceClaimStatus:p allocatedResources:19:Quantity:m resources:20:core.v1.ResourceRequirements:p nodeAllocatableResourceClaimStatuses:21:core.v1.NodeAllocatableResourceClaimStatus:r volumeHealth:22:core.v1.PodVolumeHealth:r
core.v1.PodTemplateSpec metadata:1:meta.ObjectMeta spec:2:core.v1.PodSpec
core.v1.PodVolumeHealth name:1:string healthConditions:2:core.v1.VolumeHealthCondition:r lastTransitionTime:3:Time
core.v1.PortStatus port:1:int32 protocol:2:string error:3:string:p
core.v1.PortworxVolumeSource volumeID:1:string fsType:2:string readOnly:3:bool
core.v1.PreferredSchedulingTerm weight:1:int32 preference:2:core.v1.NodeSelectorTerm
core.v1.Probe handler:1:core.v1.ProbeHandler:i initialDelaySeconds:2:int32 timeoutSeconds:3:int32 periodSeconds:4:int32 successThreshold:5:int32 failureThreshold:6:int32 terminationGracePeriodSeconds:7:int64:p
core.v1.ProbeHandler exec:1:core.v1.ExecAction:p httpGet:2:core.v1.HTTPGetAction:p tcpSocket:3:core.v1.TCPSocketAction:p grpc:4:core.v1.GRPCAction:p
core.v1.ProjectedVolumeSource sources:1:core.v1.VolumeProjection:r defaultMode:2:int32:p defaultUser:3:int64:p
core.v1.QuobyteVolumeSource registry:1:string volume:2:string readOnly:3:bool user:4:string group:5:string tenant:6:string
core.v1.RBDVolumeSource monitors:1:string:r image:2:string fsType:3:string pool:4:string user:5:string keyring:6:string secretRef:7:core.v1.LocalObjectReference:p readOnly:8:bool
core.v1.ReplicationController metadata:1:meta.ObjectMeta spec:2:core.v1.ReplicationControllerSpec status:3:core.v1.ReplicationControllerStatus
core.v1.ReplicationControllerCondition type:1:string status:2:string lastTransitionTime:3:Time reason:4:string message:5:string
core.v1.ReplicationControllerSpec replicas:1:int32:p selector:2:string:m,atomic template:3:core.v1.PodTemplateSpec:p minReadySeconds:4:int32
core.v1.ReplicationControllerStatus replicas:1:int32 fullyLabeledReplicas:2:int32 observedGeneration:3:int64 readyReplicas:4:int32 availableReplicas:5:int32 conditions:6:core.v1.ReplicationControllerCondition:r,merge=type,keys=type
core.v1.ResourceClaim name:1:string request:2:string
core.v1.ResourceFieldSelector!atomic containerName:1:string resource:2:string divisor:3:Quantity
core.v1.ResourceHealth resourceID:1:string health:2:string message:6:string:p
core.v1.ResourceRequirements limits:1:Quantity:m requests:2:Quantity:m claims:3:core.v1.ResourceClaim:r,keys=name
core.v1.ResourceStatus name:1:string resources:2:core.v1.ResourceHealth:r,keys=resourceID
core.v1.SELinuxOptions user:1:string role:2:string type:3:string level:4:string
core.v1.ScaleIOVolumeSource gateway:1:string system:2:string secretRef:3:core.v1.LocalObjectReference:p sslEnabled:4:bool protectionDomain:5:string storagePool:6:string storageMode:7:string volumeName:8:string fsType:9:string readOnly:10:bool
core.v1.SeccompProfile type:1:string localhostProfile:2:string:p
core.v1.Secret metadata:1:meta.ObjectMeta data:2:bytes:m type:3:string stringData:4:string:m immutable:5:bool:p
core.v1.SecretEnvSource localObjectReference:1:core.v1.LocalObjectReference:i optional:2:bool:p
core.v1.SecretKeySelector!atomic localObjectReference:1:core.v1.LocalObjectReference:i key:2:string optional:3:bool:p
core.v1.SecretProjection localObjectReference:1:core.v1.LocalObjectReference:i items:2:core.v1.KeyToPath:r optional:4:bool:p
core.v1.SecretVolumeSource secretName:1:string items:2:core.v1.KeyToPath:r defaultMode:3:int32:p optional:4:bool:p defaultUser:5:int64:p
core.v1.SecurityContext capabilities:1:core.v1.Capabilities:p privileged:2:bool:p seLinuxOptions:3:core.v1.SELinuxOptions:p runAsUser:4:int64:p runAsNonRoot:5:bool:p readOnlyRootFilesystem:6:bool:p allowPrivilegeEscalation:7:bool:p runAsGroup:8:int64:p procMount:9:string:p windowsOptions:10:core.v1.WindowsSecurityContextOptions:p seccompProfile:11:core.v1.SeccompProfile:p appArmorProfile:12:core.v1.AppArmorProfile:p
core.v1.Service metadata:1:meta.ObjectMeta spec:2:core.v1.ServiceSpec status:3:core.v1.ServiceStatus
core.v1.ServiceAccount metadata:1:meta.ObjectMeta secrets:2:core.v1.ObjectReference:r,merge=name,keys=name imagePullSecrets:3:core.v1.LocalObjectReference:r automountServiceAccountToken:4:bool:p
core.v1.ServiceAccountTokenProjection audience:1:string expirationSeconds:2:int64:p path:3:string user:4:int64:p
core.v1.ServicePort name:1:string protocol:2:string port:3:int32 targetPort:4:IntOrString nodePort:5:int32 appProtocol:6:string:p
core.v1.ServiceSpec ports:1:core.v1.ServicePort:r,merge=port,keys=port+protocol selector:2:string:m,atomic clusterIP:3:string type:4:string externalIPs:5:string:r sessionAffinity:7:string loadBalancerIP:8:string loadBalancerSourceRanges:9:string:r externalName:10:string externalTrafficPolicy:11:string healthCheckNodePort:12:int32 publishNotReadyAddresses:13:bool sessionAffinityConfig:14:core.v1.SessionAffinityConfig:p ipFamilyPolicy:17:string:p clusterIPs:18:string:r ipFamilies:19:string:r allocateLoadBalancerNodePorts:20:bool:p loadBalancerClass:21:string:p internalTrafficPolicy:22:string:p trafficDistribution:23:string:p
core.v1.ServiceStatus loadBalancer:1:core.v1.LoadBalancerStatus conditions:2:meta.Condition:r,merge=type,keys=type
core.v1.SessionAffinityConfig clientIP:1:core.v1.ClientIPConfig:p
core.v1.SleepAction seconds:1:int64
core.v1.StorageOSVolumeSource volumeName:1:string volumeNamespace:2:string fsType:3:string readOnly:4:bool secretRef:5:core.v1.LocalObjectReference:p
core.v1.Sysctl name:1:string value:2:string
core.v1.TCPSocketAction port:1:IntOrString host:2:string
core.v1.Taint key:1:string value:2:string effect:3:string timeAdded:4:Time:p
core.v1.Toleration key:1:string operator:2:string value:3:string effect:4:string tolerationSeconds:5:int64:p
core.v1.TopologySpreadConstraint maxSkew:1:int32 topologyKey:2:string whenUnsatisfiable:3:string labelSelector:4:meta.LabelSelector:p minDomains:5:int32:p nodeAffinityPolicy:6:string:p nodeTaintsPolicy:7:string:p matchLabelKeys:8:string:r
core.v1.TypedLocalObjectReference!atomic apiGroup:1:string:p kind:2:string name:3:string
core.v1.TypedObjectReference apiGroup:1:string:p kind:2:string name:3:string namespace:4:string:p
core.v1.Volume name:1:string volumeSource:2:core.v1.VolumeSource:i
core.v1.VolumeDevice name:1:string devicePath:2:string
core.v1.VolumeHealthCondition status:1:string reason:2:string message:3:string
core.v1.VolumeHealthStatus healthConditions:1:core.v1.VolumeHealthCondition:r lastTransitionTime:2:Time
core.v1.VolumeMount name:1:string readOnly:2:bool mountPath:3:string subPath:4:string mountPropagation:5:string:p subPathExpr:6:string recursiveReadOnly:7:string:p bindMountOptions:8:string:r
core.v1.VolumeMountStatus name:1:string mountPath:2:string readOnly:3:bool recursiveReadOnly:4:string:p volumeStatus:5:core.v1.VolumeStatus:p
core.v1.VolumeProjection secret:1:core.v1.SecretProjection:p downwardAPI:2:core.v1.DownwardAPIProjection:p configMap:3:core.v1.ConfigMapProjection:p serviceAccountToken:4:core.v1.ServiceAccountTokenProjection:p clusterTrustBundle:5:core.v1.ClusterTrustBundleProjection:p podCertificate:6:core.v1.PodCertificateProjection:p
core.v1.VolumeResourceRequirements limits:1:Quantity:m requests:2:Quantity:m
core.v1.VolumeSource hostPath:1:core.v1.HostPathVolumeSource:p emptyDir:2:core.v1.EmptyDirVolumeSource:p gcePersistentDisk:3:core.v1.GCEPersistentDiskVolumeSource:p awsElasticBlockStore:4:core.v1.AWSElasticBlockStoreVolumeSource:p gitRepo:5:core.v1.GitRepoVolumeSource:p secret:6:core.v1.SecretVolumeSource:p nfs:7:core.v1.NFSVolumeSource:p iscsi:8:core.v1.ISCSIVolumeSource:p glusterfs:9:core.v1.GlusterfsVolumeSource:p persistentVolumeClaim:10:core.v1.PersistentVolumeClaimVolumeSource:p rbd:11:core.v1.RBDVolumeSource:p flexVolume:12:core.v1.FlexVolumeSource:p cinder:13:core.v1.CinderVolumeSource:p cephfs:14:core.v1.CephFSVolumeSource:p flocker:15:core.v1.FlockerVolumeSource:p downwardAPI:16:core.v1.DownwardAPIVolumeSource:p fc:17:core.v1.FCVolumeSource:p azureFile:18:core.v1.AzureFileVolumeSource:p configMap:19:core.v1.ConfigMapVolumeSource:p vsphereVolume:20:core.v1.VsphereVirtualDiskVolumeSource:p quobyte:21:core.v1.QuobyteVolumeSource:p azureDisk:22:core.v1.AzureDiskVolumeSource:p photonPersistentDisk:23:core.v1.PhotonPersistentDiskVolumeSource:p portworxVolume:24:core.v1.PortworxVolumeSource:p scaleIO:25:core.v1.ScaleIOVolumeSource:p projected:26:core.v1.ProjectedVolumeSource:p storageos:27:core.v1.StorageOSVolumeSource:p csi:28:core.v1.CSIVolumeSource:p ephemeral:29:core.v1.EphemeralVolumeSource:p image:30:core.v1.ImageVolumeSource:p
core.v1.VolumeStatus image:1:core.v1.ImageVolumeStatus:p
core.v1.VsphereVirtualDiskVolumeSource volumePath:1:string fsType:2:string storagePolicyName:3:string storagePolicyID:4:string
core.v1.WeightedPodAffinityTerm weight:1:int32 podAffinityTerm:2:core.v1.PodAffinityTerm
core.v1.WindowsSecurityContextOptions gmsaCredentialSpecName:1:string:p gmsaCredentialSpec:2:string:p runAsUserName:3:string:p hostProcess:4:bool:p
discovery.v1.Endpoint addresses:1:string:r,set conditions:2:discovery.v1.EndpointConditions hostname:3:string:p targetRef:4:core.v1.ObjectReference:p deprecatedTopology:5:string:m nodeName:6:string:p zone:7:string:p hints:8:discovery.v1.EndpointHints:p
discovery.v1.EndpointConditions ready:1:bool:p serving:2:bool:p terminating:3:bool:p
discovery.v1.EndpointHints forZones:1:discovery.v1.ForZone:r forNodes:2:discovery.v1.ForNode:r
discovery.v1.EndpointPort!atomic name:1:string:p protocol:2:string:p port:3:int32:p appProtocol:4:string:p
discovery.v1.EndpointSlice metadata:1:meta.ObjectMeta endpoints:2:discovery.v1.Endpoint:r ports:3:discovery.v1.EndpointPort:r addressType:4:string
discovery.v1.ForNode name:1:string
discovery.v1.ForZone name:1:string
events.v1.Event metadata:1:meta.ObjectMeta eventTime:2:MicroTime series:3:events.v1.EventSeries:p reportingController:4:string reportingInstance:5:string action:6:string reason:7:string regarding:8:core.v1.ObjectReference related:9:core.v1.ObjectReference:p note:10:string type:11:string deprecatedSource:12:core.v1.EventSource deprecatedFirstTimestamp:13:Time deprecatedLastTimestamp:14:Time deprecatedCount:15:int32
events.v1.EventSeries count:1:int32 lastObservedTime:2:MicroTime
extensions.v1beta1.DaemonSet metadata:1:meta.ObjectMeta spec:2:extensions.v1beta1.DaemonSetSpec status:3:apps.v1.DaemonSetStatus
extensions.v1beta1.DaemonSetSpec selector:1:meta.LabelSelector:p template:2:core.v1.PodTemplateSpec updateStrategy:3:apps.v1.DaemonSetUpdateStrategy minReadySeconds:4:int32 templateGeneration:5:int64 revisionHistoryLimit:6:int32:p
extensions.v1beta1.Deployment metadata:1:meta.ObjectMeta spec:2:extensions.v1beta1.DeploymentSpec status:3:apps.v1.DeploymentStatus
extensions.v1beta1.DeploymentSpec replicas:1:int32:p selector:2:meta.LabelSelector:p template:3:core.v1.PodTemplateSpec strategy:4:apps.v1.DeploymentStrategy:retainKeys minReadySeconds:5:int32 revisionHistoryLimit:6:int32:p paused:7:bool rollbackTo:8:extensions.v1beta1.RollbackConfig:p progressDeadlineSeconds:9:int32:p
extensions.v1beta1.RollbackConfig revision:1:int64
meta.Condition type:1:string status:2:string observedGeneration:3:int64 lastTransitionTime:4:Time reason:5:string message:6:string
meta.DeleteOptions gracePeriodSeconds:1:int64:p preconditions:2:meta.Preconditions:p orphanDependents:3:bool:p propagationPolicy:4:string:p dryRun:5:string:r ignoreStoreReadErrorWithClusterBreakingPotential:6:bool:p
meta.LabelSelector!atomic matchLabels:1:string:m matchExpressions:2:meta.LabelSelectorRequirement:r
meta.LabelSelectorRequirement key:1:string operator:2:string values:3:string:r
meta.ManagedFieldsEntry manager:1:string operation:2:string apiVersion:3:string time:4:Time:p fieldsType:6:string fieldsV1:7:FieldsV1:p subresource:8:string
meta.ObjectMeta name:1:string generateName:2:string namespace:3:string selfLink:4:string uid:5:string resourceVersion:6:string generation:7:int64 creationTimestamp:8:Time deletionTimestamp:9:Time:p deletionGracePeriodSeconds:10:int64:p labels:11:string:m annotations:12:string:m ownerReferences:13:meta.OwnerReference:r,merge=uid,keys=uid finalizers:14:string:r,merge,set managedFields:17:meta.ManagedFieldsEntry:r
meta.OwnerReference!atomic kind:1:string name:3:string uid:4:string apiVersion:5:string controller:6:bool:p blockOwnerDeletion:7:bool:p
meta.Preconditions uid:1:string:p resourceVersion:2:string:p
networking.v1.IPAddress metadata:1:meta.ObjectMeta spec:2:networking.v1.IPAddressSpec
networking.v1.IPAddressSpec parentRef:1:networking.v1.ParentReference:p
networking.v1.ParentReference group:1:string resource:2:string namespace:3:string name:4:string
networking.v1.ServiceCIDR metadata:1:meta.ObjectMeta spec:2:networking.v1.ServiceCIDRSpec status:3:networking.v1.ServiceCIDRStatus
networking.v1.ServiceCIDRSpec cidrs:1:string:r
networking.v1.ServiceCIDRStatus conditions:1:meta.Condition:r,merge=type,keys=type
policy.v1.Eviction metadata:1:meta.ObjectMeta deleteOptions:2:meta.DeleteOptions:p
policy.v1.PodDisruptionBudget metadata:1:meta.ObjectMeta spec:2:policy.v1.PodDisruptionBudgetSpec status:3:policy.v1.PodDisruptionBudgetStatus
policy.v1.PodDisruptionBudgetSpec minAvailable:1:IntOrString:p selector:2:meta.LabelSelector:p maxUnavailable:3:IntOrString:p unhealthyPodEvictionPolicy:4:string:p
policy.v1.PodDisruptionBudgetStatus observedGeneration:1:int64 disruptedPods:2:Time:m disruptionsAllowed:3:int32 currentHealthy:4:int32 desiredHealthy:5:int32 expectedPods:6:int32 conditions:7:meta.Condition:r,merge=type,keys=type
`;
