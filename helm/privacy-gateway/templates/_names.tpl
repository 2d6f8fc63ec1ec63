{{/* The release's name for everything: the chart's name once, at most 63 characters less a suffix. */}}
{{- define "privacy-gateway.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- else if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "privacy-gateway.selectorLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* The gateway's own pods, or the pods of the app that it stands beside; not the injector's. */}}
{{- define "privacy-gateway.podLabels" -}}
{{ include "privacy-gateway.selectorLabels" . }}
app.kubernetes.io/component: gateway
{{- end -}}

{{- define "privacy-gateway.labels" -}}
{{ include "privacy-gateway.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* registry/repository:tag, or @digest where there is one. Argument: an image of the values. */}}
{{- define "privacy-gateway.image" -}}
{{- if .digest -}}{{ .repository }}@{{ .digest }}{{- else -}}{{ .repository }}:{{ .tag }}{{- end -}}
{{- end -}}

{{- define "privacy-gateway.gatewayImage" -}}
{{- $tag := .Values.image.tag | default .Chart.AppVersion -}}
{{- include "privacy-gateway.image" (dict "repository" .Values.image.repository "tag" $tag "digest" .Values.image.digest) -}}
{{- end -}}

{{- define "privacy-gateway.serviceAccountName" -}}
{{- .Values.serviceAccount.name | default (ternary (include "privacy-gateway.fullname" .) "default" .Values.serviceAccount.create) -}}
{{- end -}}

{{/* 1536Mi → 1610612736. */}}
{{- define "privacy-gateway.bytes" -}}
{{- $units := dict "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 -}}
{{- $text := toString . -}}
{{- mul (regexFind "^[0-9]+" $text | int64) (get $units (regexFind "[A-Za-z]*$" $text) | default 1) -}}
{{- end -}}

{{/* The pod of `helm test`. */}}
{{- define "privacy-gateway.testLabels" -}}
{{ include "privacy-gateway.selectorLabels" . }}
app.kubernetes.io/component: test
{{- end -}}
