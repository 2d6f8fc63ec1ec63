{{- define "privacy-gateway.injector" -}}
{{ include "privacy-gateway.fullname" . }}-injector
{{- end -}}

{{/* Of what belongs to no namespace: two releases of one name don't share it. */}}
{{- define "privacy-gateway.injectorCluster" -}}
{{ include "privacy-gateway.injector" . }}.{{ .Release.Namespace }}
{{- end -}}

{{- define "privacy-gateway.injectorCertificate" -}}
{{ include "privacy-gateway.injector" . }}-{{ eq .Values.injector.certificate "own" | ternary "certificate" "tls" }}
{{- end -}}

{{- define "privacy-gateway.injectorLabels" -}}
{{ include "privacy-gateway.selectorLabels" . }}
app.kubernetes.io/component: injector
{{- end -}}

{{/* What is put into pods: from the templates that the other modes use. */}}
{{- define "privacy-gateway.injectorSidecar" -}}
{{- $sidecar := dict "container" (include "privacy-gateway.container" (dict "root" . "sidecar" true) | fromYaml) -}}
{{- $_ := set $sidecar "volumes" (concat (include "privacy-gateway.volumes" . | fromYamlArray) .Values.decisionLog.volumes) -}}
{{- if eq .Values.policy.engine "opa" -}}
{{- $_ := set $sidecar "opa" (include "privacy-gateway.opa" . | fromYaml) -}}
{{- end -}}
{{- if .Values.decisionLog.shipper -}}
{{- $_ := set $sidecar "shipper" (include "privacy-gateway.shipper" . | fromYaml) -}}
{{- end -}}
{{- $_ := set $sidecar "terminationGracePeriodSeconds" (include "privacy-gateway.terminationGrace" . | int) -}}
{{- toYaml $sidecar -}}
{{- end -}}
