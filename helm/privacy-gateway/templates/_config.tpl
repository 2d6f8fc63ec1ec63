{{/*
What the chart sets itself, because a port, a mount or a volume depends on it. As a tree of
gateway.yaml; with a configuration that somebody else made, the same goes by the environment.
*/}}
{{- define "privacy-gateway.owned" -}}
listen: 0.0.0.0:8080
admin: 0.0.0.0:8282
client:
  drain_delay: {{ .Values.drain.delaySeconds }}s
  drain: {{ .Values.drain.graceSeconds }}s
spool:
  directory: /var/spool/privacy-gateway/bodies
  limit: {{ include "privacy-gateway.spoolLimit" . }}
decision_log:
  file: /var/log/privacy-gateway/decisions.jsonl
  pseudonym_key_file: /run/secrets/privacy-gateway/pseudonym-key
policy:
  engine: {{ .Values.policy.engine }}
  {{- if eq .Values.policy.engine "opa" }}
  opa: http://127.0.0.1:8181
  {{- else }}
  {{- with include "privacy-gateway.bundleLocation" . }}
  bundle: {{ . }}
  {{- end }}
  {{- if .Values.policy.data }}
  data: /etc/privacy-gateway/deployment.json
  {{- end }}
  delivery:
    state: /var/log/privacy-gateway/policy
  {{- end }}
{{- end -}}

{{/* Seven eighths of the volume: a file system has a use for the rest. In MiB. */}}
{{- define "privacy-gateway.spoolLimit" -}}
{{- div (mul 7 (include "privacy-gateway.bytes" .Values.spool.size)) 8388608 }}MiB
{{- end -}}

{{/* Where the embedded engine's bundle is; empty: the policies that ship with the gateway. */}}
{{- define "privacy-gateway.bundleLocation" -}}
{{- $bundle := .Values.policy.bundle -}}
{{- if eq $bundle.from "server" -}}{{ $bundle.url }}
{{- else if eq $bundle.from "image" -}}{{ clean (printf "/opt/privacy-gateway/policies/%s" $bundle.image.path) }}
{{- else if ne $bundle.from "shipped" -}}
{{- $archive := first (append ($bundle.items | default list) dict) -}}
{{- if and (eq (len ($bundle.items | default list)) 1) (hasSuffix ".tar.gz" $archive.path) -}}
/etc/privacy-gateway/policies/{{ $archive.path }}
{{- else -}}
/etc/privacy-gateway/policies
{{- end -}}
{{- end -}}
{{- end -}}

{{/* gateway.yaml: the user's `config` and what the chart sets. */}}
{{- define "privacy-gateway.config" -}}
{{- $config := deepCopy .Values.config -}}
{{- if and (eq .Values.mode "sidecar") (not (dig "upstream" "" $config)) -}}
{{- $_ := set $config "upstream" (printf "http://127.0.0.1:%v" .Values.app.port) -}}
{{- end -}}
{{- mergeOverwrite $config (include "privacy-gateway.owned" . | fromYaml) | toYaml -}}
{{- end -}}

{{/* The same settings as variables, for a configuration that the chart only mounts. */}}
{{- define "privacy-gateway.ownedEnv" -}}
{{- range $section, $value := include "privacy-gateway.owned" . | fromYaml -}}
{{- if kindIs "map" $value }}
{{- range $key, $inner := $value }}
{{- if kindIs "map" $inner }}
{{- range $name, $text := $inner }}
- {name: PRIVACY_GATEWAY_{{ upper $section }}__{{ upper $key }}__{{ upper $name }}, value: {{ quote $text }}}
{{- end }}
{{- else }}
- {name: PRIVACY_GATEWAY_{{ upper $section }}__{{ upper $key }}, value: {{ quote $inner }}}
{{- end }}
{{- end }}
{{- else }}
- {name: PRIVACY_GATEWAY_{{ upper $section }}, value: {{ quote $value }}}
{{- end }}
{{- end }}
{{- end -}}

{{/* Whether the chart makes gateway.yaml, or mounts one that is there. */}}
{{- define "privacy-gateway.ownConfig" -}}
{{- if not (or .Values.configFrom.configMap .Values.configFrom.secret) -}}true{{- end -}}
{{- end -}}

{{/*
What pods must be made anew for. Policies and data are not among it: the embedded engine takes them
up while it runs; OPA reads its files once.
*/}}
{{- define "privacy-gateway.checksums" -}}
{{- if include "privacy-gateway.ownConfig" . }}
checksum/config: {{ list (include "privacy-gateway.config" .) .Values.configFiles | toJson | sha256sum }}
{{- end }}
{{- if eq .Values.policy.engine "opa" }}
checksum/opa: {{ list (include "privacy-gateway.opaConfig" .) (.Files.Get "files/opa/authz.rego") .Values.policy.bundle | toJson | sha256sum }}
{{- end }}
{{- end -}}

{{/* opa.yaml: the user's, and what must not be otherwise. */}}
{{- define "privacy-gateway.opaConfig" -}}
{{- mergeOverwrite (deepCopy .Values.opa.config) (dict "persistence_directory" "/var/lib/opa") | toYaml -}}
{{- end -}}
