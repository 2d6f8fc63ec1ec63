{{/* Faults that are between two values, or that deserve more words than a schema has. */}}
{{- define "privacy-gateway.check" -}}
{{- include "privacy-gateway.checkConfig" . -}}
{{- include "privacy-gateway.checkPolicy" . -}}
{{- include "privacy-gateway.checkVolumes" . -}}
{{- include "privacy-gateway.checkWorkload" . -}}
{{- end -}}

{{- define "privacy-gateway.checkConfig" -}}
{{- $v := .Values -}}
{{- if not $v.pseudonymKey.secret -}}
{{- fail "pseudonymKey.secret is missing: name a Secret with 32 random bytes under the key `pseudonym-key` (head -c 32 /dev/urandom > pseudonym-key; kubectl create secret generic privacy-gateway --from-file=pseudonym-key)" -}}
{{- end -}}
{{- if and $v.configFrom.configMap $v.configFrom.secret -}}
{{- fail "configFrom names a ConfigMap and a Secret: there is one configuration" -}}
{{- end -}}
{{- if not (include "privacy-gateway.ownConfig" .) -}}
{{- if or $v.config $v.configFiles -}}
{{- fail "config (or configFiles) and configFrom are both set: there is one configuration" -}}
{{- end -}}
{{- else if eq $v.mode "injector" -}}
{{- fail "mode injector needs configFrom.configMap (or configFrom.secret): the name of the configuration that each pod's own namespace has" -}}
{{- else -}}
{{- if and (eq $v.mode "gateway") (not (dig "upstream" "" $v.config)) -}}
{{- fail "config.upstream is missing: the URL of the Service that the gateway stands in front of, such as http://orders.shop.svc:8080" -}}
{{- end -}}
{{- range $key := list "identity" "endpoints" -}}
{{- if not (get $v.config $key) -}}
{{- fail (printf "config.%s is missing: nothing is guarded without it (docs/configuration.md)" $key) -}}
{{- end -}}
{{- end -}}
{{- $owned := list "listen" "admin" "client.drain" "client.drain_delay" "spool.directory" "spool.limit" "decision_log.file" "decision_log.pseudonym_key_file" "policy.engine" "policy.opa" "policy.bundle" "policy.data" "policy.delivery.state" -}}
{{- range $path := $owned -}}
{{- $at := $v.config -}}
{{- range $key := splitList "." $path -}}
{{- if kindIs "map" $at -}}{{- $at = get $at $key -}}{{- else -}}{{- $at = "" -}}{{- end -}}
{{- end -}}
{{- if $at -}}
{{- fail (printf "config.%s is set by the chart: leave it out (values.yaml says which value decides it)" $path) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "privacy-gateway.checkPolicy" -}}
{{- $v := .Values -}}
{{- $bundle := $v.policy.bundle -}}
{{- $opa := eq $v.policy.engine "opa" -}}
{{- if and $opa $v.policy.data -}}
{{- fail "policy.data is read by the embedded engine only: with engine opa, the deployment's data belongs in OPA's bundle" -}}
{{- end -}}
{{- if and $opa (eq $bundle.from "shipped") -}}
{{- fail "policy.bundle.from: shipped are the policies in the gateway's image, which OPA doesn't have: use server, image, configMap or files" -}}
{{- end -}}
{{- if and $opa (eq $bundle.from "server") (not $v.opa.configMap) (not (dig "bundles" "" $v.opa.config)) -}}
{{- fail "opa.config.bundles is missing: with engine opa, OPA fetches the bundle itself (services and bundles of OPA's own configuration)" -}}
{{- end -}}
{{- range $key := list "decision_logs" "persistence_directory" "default_decision" "default_authorization_decision" -}}
{{- if hasKey $v.opa.config $key -}}
{{- fail (printf "opa.config.%s must be left out: OPA's decision logs would hold personal data, and the rest is set by the chart" $key) -}}
{{- end -}}
{{- end -}}
{{- if and (eq $bundle.from "server") (not $opa) (not $bundle.url) -}}
{{- fail "policy.bundle.url is missing: policy.bundle.from is server" -}}
{{- end -}}
{{- if and (eq $bundle.from "files") (not $bundle.files) -}}
{{- fail "policy.bundle.files is empty: policy.bundle.from is files" -}}
{{- end -}}
{{- if and (has $bundle.from (list "configMap" "secret")) (not (and $bundle.name $bundle.items)) -}}
{{- fail (printf "policy.bundle.name and policy.bundle.items are missing: policy.bundle.from is %s" $bundle.from) -}}
{{- end -}}
{{- if and (eq $bundle.from "image") (not $bundle.image.reference) -}}
{{- fail "policy.bundle.image.reference is missing: policy.bundle.from is image" -}}
{{- end -}}
{{- if eq $v.mode "injector" -}}
{{- if or $v.policy.data (eq $bundle.from "files") -}}
{{- fail "policy.data and policy.bundle.files live in this release's namespace, and the injected pods don't: in mode injector use shipped, image, server, or a ConfigMap that each namespace has" -}}
{{- end -}}
{{- if and $opa (not $v.opa.configMap) -}}
{{- fail "opa.configMap is missing: in mode injector, each pod's own namespace has OPA's configuration (keys opa.yaml, authz.rego and manifest)" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "privacy-gateway.checkVolumes" -}}
{{- $v := .Values -}}
{{- $log := $v.decisionLog -}}
{{- if and $log.existingClaim (or (gt (int $v.replicas) 1) $v.autoscaling.enabled (ne $v.mode "gateway")) -}}
{{- fail "decisionLog.existingClaim is one log, and one log has one writer: set mode gateway, replicas 1 and no autoscaling, or leave it out and let each replica have a claim of its own" -}}
{{- end -}}
{{- if and $log.existingClaim (ne $log.storage "claim") -}}
{{- fail (printf "decisionLog.existingClaim is set, and decisionLog.storage is %s: say claim, or leave the claim out" $log.storage) -}}
{{- end -}}
{{- if and (eq $log.storage "shipped") (not (dig "image" "" $log.shipper)) -}}
{{- fail "decisionLog.shipper is missing: decisionLog.storage is shipped, so give a container that takes the entries away (image, args, volumeMounts as Kubernetes has them)" -}}
{{- end -}}
{{- if and (eq $log.storage "ephemeral") $log.shipper -}}
{{- fail "decisionLog.shipper is set, and decisionLog.storage is ephemeral: say shipped" -}}
{{- end -}}
{{- if and (eq $log.storage "claim") (eq $v.mode "injector") -}}
{{- fail "decisionLog.storage: claim needs the StatefulSet that this chart makes; in mode injector say shipped (or ephemeral)" -}}
{{- end -}}
{{- if and (eq $v.spool.storage "volume") (not $v.spool.storageClassName) -}}
{{- fail "spool.storageClassName is missing: bodies are personal data, so name a StorageClass that encrypts" -}}
{{- end -}}
{{- $memory := dig "limits" "memory" "" $v.resources -}}
{{- if and (eq $v.spool.storage "memory") $memory -}}
{{- if ge (include "privacy-gateway.bytes" $v.spool.size | int64) (include "privacy-gateway.bytes" $memory | int64) -}}
{{- fail (printf "spool.size (%s) is in memory, and must be below resources.limits.memory (%s), which the gateway needs a part of for itself" $v.spool.size (toString $memory)) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "privacy-gateway.checkWorkload" -}}
{{- $v := .Values -}}
{{- $drain := add $v.drain.delaySeconds $v.drain.graceSeconds -}}
{{- if and $v.terminationGracePeriodSeconds (lt (int $v.terminationGracePeriodSeconds) (int (add $drain 10))) -}}
{{- fail (printf "terminationGracePeriodSeconds (%v) must be 10 more than drain.delaySeconds and drain.graceSeconds together (%v), or exchanges are cut off and their entries lost" $v.terminationGracePeriodSeconds $drain) -}}
{{- end -}}
{{- if $v.autoscaling.enabled -}}
{{- if gt (int $v.autoscaling.minReplicas) (int $v.autoscaling.maxReplicas) -}}
{{- fail "autoscaling.minReplicas is more than autoscaling.maxReplicas" -}}
{{- end -}}
{{- if not (or $v.autoscaling.cpuPercent $v.autoscaling.inFlightBytes) -}}
{{- fail "autoscaling has nothing to go by: set cpuPercent or inFlightBytes" -}}
{{- end -}}
{{- end -}}
{{- if and (eq $v.mode "gateway") $v.networkPolicy.enabled (not $v.networkPolicy.upstream.podLabels) -}}
{{- fail "networkPolicy.upstream.podLabels is missing: the labels of the pods behind the gateway, so that nobody goes around it (or networkPolicy.enabled: false, where something else sees to that)" -}}
{{- end -}}
{{- if eq $v.mode "sidecar" -}}
{{- if and $v.workload (not (dig "containers" "" $v.app.podSpec)) -}}
{{- fail "app.podSpec.containers is missing: mode sidecar deploys your app, with the gateway beside it" -}}
{{- end -}}
{{- if has (int $v.app.port) (list 8080 8181 8282 8283) -}}
{{- fail (printf "app.port %v is the gateway's or OPA's: the app listens on another one, on 127.0.0.1" $v.app.port) -}}
{{- end -}}
{{- if $v.app.podSpec.hostNetwork -}}
{{- fail "app.podSpec.hostNetwork must be left out: the app would listen on the node, where everybody reaches it past the gateway" -}}
{{- end -}}
{{- range concat ($v.app.podSpec.containers | default list) ($v.app.podSpec.initContainers | default list) -}}
{{- if has .name (list "privacy-gateway" "opa" "decision-log-shipper") -}}
{{- fail (printf "a container of app.podSpec is named %s, which is the chart's" .name) -}}
{{- end -}}
{{- range .ports -}}
{{- if has (int .containerPort) (list 8080 8181 8282 8283) -}}
{{- fail (printf "a container of app.podSpec has port %v, which is the gateway's or OPA's" .containerPort) -}}
{{- end -}}
{{- if .hostPort -}}
{{- fail (printf "a container of app.podSpec has hostPort %v: everybody on the node would reach it past the gateway" .hostPort) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- else if not $v.workload -}}
{{- fail (printf "workload: false is for mode sidecar, in a chart that has the app itself; mode is %s" $v.mode) -}}
{{- else if $v.app.podSpec -}}
{{- fail (printf "app.podSpec is set, and mode is %s: only mode sidecar deploys an app" $v.mode) -}}
{{- end -}}
{{- end -}}
