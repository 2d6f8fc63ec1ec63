{{/* Deployment, unless every replica keeps a claim of its own for its decision log. */}}
{{- define "privacy-gateway.kind" -}}
{{- if and (eq .Values.decisionLog.storage "claim") (not .Values.decisionLog.existingClaim) -}}
StatefulSet
{{- else -}}
Deployment
{{- end -}}
{{- end -}}

{{- define "privacy-gateway.terminationGrace" -}}
{{- $app := ternary 30 0 (ne .Values.mode "gateway") -}}
{{- .Values.terminationGracePeriodSeconds | default (add .Values.drain.delaySeconds .Values.drain.graceSeconds $app 15) -}}
{{- end -}}

{{/* The native sidecars in the order of their start; they end in the other order. */}}
{{- define "privacy-gateway.sidecars" -}}
{{- if .Values.decisionLog.shipper }}
- {{- include "privacy-gateway.shipper" . | nindent 2 }}
{{- end }}
{{- if eq .Values.policy.engine "opa" }}
- {{- include "privacy-gateway.opa" . | nindent 2 }}
{{- end }}
{{- if eq .Values.mode "sidecar" }}
- {{- include "privacy-gateway.container" (dict "root" . "sidecar" true) | nindent 2 }}
{{- end }}
{{- end -}}

{{/* The PodSpec: the gateway's own, or the app's with the gateway in it. */}}
{{- define "privacy-gateway.podSpec" -}}
{{- $spec := include "privacy-gateway.podDefaults" . | fromYaml -}}
{{- $sidecars := include "privacy-gateway.sidecars" . | fromYamlArray -}}
{{- $volumes := concat (include "privacy-gateway.volumes" . | fromYamlArray) .Values.decisionLog.volumes -}}
{{- if eq .Values.mode "sidecar" -}}
{{- $app := deepCopy .Values.app.podSpec -}}
{{- $containers := list -}}
{{- range $app.containers -}}
{{- $containers = append $containers (mergeOverwrite (include "privacy-gateway.appDefaults" $ | fromYaml) .) -}}
{{- end -}}
{{- $_ := set $app "containers" $containers -}}
{{- range $app.initContainers -}}
{{- $sidecars = append $sidecars (mergeOverwrite (omit (include "privacy-gateway.appDefaults" $ | fromYaml) "lifecycle") .) -}}
{{- end -}}
{{- $_ := set $app "initContainers" $sidecars -}}
{{- $_ := set $app "volumes" (concat $volumes ($app.volumes | default list)) -}}
{{- mergeOverwrite $spec $app | toYaml -}}
{{- else -}}
{{- $gateway := include "privacy-gateway.container" (dict "root" . "sidecar" false) | fromYaml -}}
{{- with $sidecars -}}{{- $_ := set $spec "initContainers" . -}}{{- end -}}
{{- $_ := set $spec "enableServiceLinks" false -}}
{{- merge $spec (dict "containers" (list $gateway) "volumes" $volumes) | toYaml -}}
{{- end -}}
{{- end -}}

{{- define "privacy-gateway.podDefaults" -}}
serviceAccountName: {{ include "privacy-gateway.serviceAccountName" . }}
automountServiceAccountToken: false
terminationGracePeriodSeconds: {{ include "privacy-gateway.terminationGrace" . }}
securityContext:
  runAsNonRoot: true
  fsGroup: 65532
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
topologySpreadConstraints:
  {{- with .Values.topologySpreadConstraints }}
  {{- toYaml . | nindent 2 }}
  {{- else }}
  {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - topologyKey: {{ . }}
    maxSkew: 1
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{- include "privacy-gateway.podLabels" $ | nindent 8 }}
    matchLabelKeys: [{{ eq (include "privacy-gateway.kind" $) "Deployment" | ternary "pod-template-hash" "controller-revision-hash" }}]
  {{- end }}
  {{- end }}
{{- range $key := list "imagePullSecrets" "priorityClassName" "nodeSelector" "affinity" "tolerations" }}
{{- with get $.Values $key }}
{{ toYaml (dict $key .) }}
{{- end }}
{{- end }}
{{- end -}}

{{/* For the app's containers: what `restricted` asks for, and to serve on while the pod is forgotten. */}}
{{- define "privacy-gateway.appDefaults" -}}
lifecycle:
  preStop:
    sleep: {seconds: {{ .Values.drain.delaySeconds }}}
securityContext:
  allowPrivilegeEscalation: false
  capabilities: {drop: [ALL]}
{{- end -}}
