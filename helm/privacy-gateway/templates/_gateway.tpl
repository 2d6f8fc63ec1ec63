{{/*
The gateway's container, once for all modes.
Arguments: root (the chart's context), sidecar (true: a native sidecar, an entry of initContainers).
*/}}
{{- define "privacy-gateway.container" -}}
{{- $values := .root.Values -}}
name: privacy-gateway
image: {{ include "privacy-gateway.gatewayImage" .root }}
imagePullPolicy: {{ $values.image.pullPolicy }}
args: [run, --config, /etc/privacy-gateway/gateway.yaml]
{{- if .sidecar }}
restartPolicy: Always
{{- end }}
ports:
  - {name: http, containerPort: 8080}
  - {name: admin, containerPort: 8282}
{{- $env := concat (include "privacy-gateway.ownEnv" .root | fromYamlArray) $values.env }}
{{- with $env }}
env: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.envFrom }}
envFrom: {{- toYaml . | nindent 2 }}
{{- end }}
startupProbe:
  httpGet: {path: /readyz, port: admin}
  periodSeconds: 2
  timeoutSeconds: 2
  failureThreshold: {{ div $values.startupSeconds 2 }}
readinessProbe:
  httpGet: {path: /readyz, port: admin}
  periodSeconds: 5
  timeoutSeconds: 2
  failureThreshold: 2
livenessProbe:
  httpGet: {path: /healthz, port: admin}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
{{- if .sidecar }}
# SIGTERM comes when the app has ended (KEP-753); this is called when the pod's end begins.
lifecycle:
  preStop:
    exec: {command: [privacy-gateway, drain]}
{{- end }}
resources: {{- toYaml $values.resources | nindent 2 }}
securityContext: {{- include "privacy-gateway.securityContext" . | nindent 2 }}
volumeMounts:
  - {name: gateway-config, mountPath: /etc/privacy-gateway, readOnly: true}
  - {name: gateway-secrets, mountPath: /run/secrets/privacy-gateway, readOnly: true}
  - {name: gateway-spool, mountPath: /var/spool/privacy-gateway}
  - {name: gateway-decisions, mountPath: /var/log/privacy-gateway}
  {{- if and (eq $values.policy.bundle.from "image") (eq $values.policy.engine "embedded") }}
  - {name: gateway-policies, mountPath: /opt/privacy-gateway/policies, readOnly: true}
  {{- end }}
{{- end -}}

{{/* What Pod Security `restricted` asks for, and no more rights than that. */}}
{{- define "privacy-gateway.securityContext" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "privacy-gateway.ownEnv" -}}
{{- if include "privacy-gateway.ownConfig" . -}}
[]
{{- else -}}
{{- include "privacy-gateway.ownedEnv" . -}}
{{- end -}}
{{- end -}}

{{/*
The volumes behind the gateway's mounts, as a list. Argument: the chart's context. A claim of a
StatefulSet is not among them: it comes from volumeClaimTemplates.
*/}}
{{- define "privacy-gateway.volumes" -}}
{{- $values := .Values -}}
- name: gateway-config
  projected:
    sources:
      {{- include "privacy-gateway.configSources" . | nindent 6 }}
- name: gateway-secrets
  projected:
    defaultMode: 0440
    sources:
      - secret:
          name: {{ $values.pseudonymKey.secret | quote }}
          items:
            - {key: {{ $values.pseudonymKey.key | quote }}, path: pseudonym-key}
      {{- range $values.secretFiles }}
      - secret:
          name: {{ .secret | quote }}
          items:
            - {key: {{ .key | quote }}, path: {{ .path | default .key | quote }}}
      {{- end }}
- name: gateway-spool
  {{- if eq $values.spool.storage "memory" }}
  emptyDir: {medium: Memory, sizeLimit: {{ $values.spool.size }}}
  {{- else }}
  ephemeral:
    volumeClaimTemplate:
      spec:
        accessModes: [ReadWriteOnce]
        storageClassName: {{ $values.spool.storageClassName }}
        resources: {requests: {storage: {{ $values.spool.size }}}}
  {{- end }}
{{- if $values.decisionLog.existingClaim }}
- name: gateway-decisions
  persistentVolumeClaim: {claimName: {{ $values.decisionLog.existingClaim }}}
{{- else if ne $values.decisionLog.storage "claim" }}
- name: gateway-decisions
  emptyDir: {sizeLimit: {{ $values.decisionLog.size }}}
{{- end }}
{{- if eq $values.policy.bundle.from "image" }}
- name: gateway-policies
  image:
    reference: {{ $values.policy.bundle.image.reference }}
    pullPolicy: {{ $values.policy.bundle.image.pullPolicy }}
{{- end }}
{{- if eq $values.policy.engine "opa" }}
- name: gateway-opa
  projected:
    sources:
      - configMap:
          name: {{ .Values.opa.configMap | default (printf "%s-opa" (include "privacy-gateway.fullname" .)) }}
          items:
            - {key: opa.yaml, path: opa.yaml}
            - {key: manifest, path: system/.manifest}
            - {key: authz.rego, path: system/authz/authz.rego}
      {{- include "privacy-gateway.policySources" . | nindent 6 }}
- name: gateway-opa-state
  emptyDir: {sizeLimit: 256Mi}
{{- end }}
{{- end -}}

{{/* One volume for configuration and policies, so that both change in one step. */}}
{{- define "privacy-gateway.configSources" -}}
{{- if .Values.configFrom.secret -}}
- secret: {name: {{ .Values.configFrom.secret }}}
{{- else -}}
- configMap: {name: {{ .Values.configFrom.configMap | default (include "privacy-gateway.fullname" .) }}}
{{- end }}
{{- if eq .Values.policy.engine "embedded" }}
{{- if .Values.policy.data }}
- configMap:
    name: {{ include "privacy-gateway.fullname" . }}-policies
    items: [{key: deployment.json, path: deployment.json}]
{{- end }}
{{ include "privacy-gateway.policySources" . }}
{{- end }}
{{- end -}}

{{/* The bundle's files, under policies/; empty where they are in no ConfigMap and no Secret. */}}
{{- define "privacy-gateway.policySources" -}}
{{- $bundle := .Values.policy.bundle -}}
{{- if eq $bundle.from "files" -}}
- configMap:
    name: {{ include "privacy-gateway.fullname" . }}-policies
    items:
      {{- range $path, $_ := $bundle.files }}
      - {key: {{ include "privacy-gateway.policyKey" $path }}, path: {{ printf "policies/%s" $path | quote }}}
      {{- end }}
{{- else if has $bundle.from (list "configMap" "secret") -}}
- {{ $bundle.from }}:
    name: {{ $bundle.name }}
    items:
      {{- range $bundle.items }}
      - {key: {{ .key | quote }}, path: {{ printf "policies/%s" .path | quote }}}
      {{- end }}
{{- end -}}
{{- end -}}

{{/* A key of a ConfigMap has no slash. */}}
{{- define "privacy-gateway.policyKey" -}}
{{- . | replace "/" "__" -}}
{{- end -}}

{{/* OPA beside the gateway, on loopback; a native sidecar that starts before it. */}}
{{- define "privacy-gateway.opa" -}}
{{- $opa := .Values.opa -}}
name: opa
image: {{ include "privacy-gateway.image" $opa.image }}
imagePullPolicy: {{ $opa.image.pullPolicy }}
restartPolicy: Always
args:
  - run
  - --server
  - --addr=127.0.0.1:8181
  - --diagnostic-addr=0.0.0.0:8283
  - --authentication=token
  - --authorization=basic
  - --log-level=error
  - --skip-version-check
  - --config-file=/etc/opa/opa.yaml
  - --bundle
  - /etc/opa/system/
  {{- if eq .Values.policy.bundle.from "image" }}
  - {{ clean (printf "/opt/privacy-gateway/policies/%s" .Values.policy.bundle.image.path) }}
  {{- else if ne .Values.policy.bundle.from "server" }}
  - {{ include "privacy-gateway.bundleLocation" . | replace "/etc/privacy-gateway/" "/etc/opa/" }}{{ if not (hasSuffix ".tar.gz" (include "privacy-gateway.bundleLocation" .)) }}/{{ end }}
  {{- end }}
ports:
  - {name: opa-health, containerPort: 8283}
{{- with $opa.env }}
env: {{- toYaml . | nindent 2 }}
{{- end }}
startupProbe:
  httpGet: {path: /health, port: opa-health}
  periodSeconds: 1
  failureThreshold: 60
livenessProbe:
  httpGet: {path: /health, port: opa-health}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
resources: {{- toYaml $opa.resources | nindent 2 }}
securityContext: {{- include "privacy-gateway.securityContext" . | nindent 2 }}
volumeMounts:
  - {name: gateway-opa, mountPath: /etc/opa, readOnly: true}
  - {name: gateway-opa-state, mountPath: /var/lib/opa}
  {{- if eq .Values.policy.bundle.from "image" }}
  - {name: gateway-policies, mountPath: /opt/privacy-gateway/policies, readOnly: true}
  {{- end }}
{{- end -}}

{{/* Whoever takes the decision log away: a native sidecar of the user's, which outlives the gateway. */}}
{{- define "privacy-gateway.shipper" -}}
{{- $mount := dict "name" "gateway-decisions" "mountPath" "/var/log/privacy-gateway" "readOnly" true -}}
{{- $shipper := deepCopy .Values.decisionLog.shipper -}}
{{- $given := $shipper.volumeMounts | default list -}}
{{- $_ := set $shipper "volumeMounts" (append $given $mount) -}}
{{- $base := dict "name" "decision-log-shipper" "restartPolicy" "Always" "securityContext" (include "privacy-gateway.securityContext" . | fromYaml) -}}
{{- mergeOverwrite $base $shipper | toYaml -}}
{{- end -}}
