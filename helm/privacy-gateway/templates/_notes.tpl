{{- define "privacy-gateway.notes" -}}
{{- $name := include "privacy-gateway.fullname" . -}}
{{- $kind := include "privacy-gateway.kind" . | lower -}}
{{- $here := printf "-n %s" .Release.Namespace -}}
privacy-gateway {{ .Chart.AppVersion }}, mode {{ .Values.mode }}.
{{- if eq .Values.mode "injector" }}

1. Give a namespace its configuration and its secret (each namespace has its own log):

     kubectl -n shop create {{ .Values.configFrom.secret | empty | ternary "configmap" "secret generic" }} {{ .Values.configFrom.configMap | default .Values.configFrom.secret }} --from-file=gateway.yaml
     head -c 32 /dev/urandom > pseudonym-key
     kubectl -n shop create secret generic {{ .Values.pseudonymKey.secret }} --from-file={{ .Values.pseudonymKey.key }}=pseudonym-key

2. Let nothing start there without a gateway that asks for one, also while the webhook is down:

     kubectl label namespace shop privacy-gateway.dev/injection=enabled

3. Ask for one, in a pod template's annotations:

     privacy-gateway.dev/inject: "true"
     privacy-gateway.dev/upstream-port: "3000"
{{- else }}
{{- $target := printf "%s/%s" $kind $name }}
{{- if .Values.workload }}

1. Wait until it has proven itself (a planted foreign record is blocked before it reports ready):

     kubectl {{ $here }} rollout status {{ $target }}

   Until then it says what it waits for:

     kubectl {{ $here }} port-forward {{ $target }} 8282
     curl http://127.0.0.1:8282/readyz

2. Play a leak against it:

     helm test {{ .Release.Name }} {{ $here }}
{{- end }}

{{ .Values.workload | ternary "3" "1" }}. Ask for an export, with a token of your issuer; without one the answer is 401:

     kubectl {{ $here }} port-forward service/{{ $name }} 8080:{{ .Values.service.port }}
     curl -i -H "Authorization: Bearer $TOKEN" http://127.0.0.1:8080{{ dig "path" "/" (first (append (.Values.config.endpoints | default list) dict)) }}
{{- if .Values.workload }}

4. See that its decision log is as it was written:

     kubectl {{ $here }} exec {{ $target }} -c privacy-gateway -- \
       privacy-gateway log verify /var/log/privacy-gateway/decisions.jsonl \
       --key-file /run/secrets/privacy-gateway/pseudonym-key
{{- end }}
{{- if eq .Values.mode "gateway" }}

Callers go to http://{{ $name }}.{{ .Release.Namespace }}.svc:{{ .Values.service.port }} from now on, in place of the upstream.
{{- else }}

The app listens on 127.0.0.1:{{ .Values.app.port }}: probes of the kubelet and other pods don't reach it there, but only the gateway.
{{- end }}
{{- end }}
{{- if and (ne .Values.mode "injector") (not .Values.networkPolicy.enabled) }}

WARNING: there is no NetworkPolicy. Whoever finds the {{ eq .Values.mode "gateway" | ternary "upstream's pods" "app's port" }} can go around the gateway.
{{- end }}
{{- if eq .Values.decisionLog.storage "ephemeral" }}

WARNING: the decision log goes with the pod (decisionLog.storage: ephemeral).
{{- end }}
{{- range .Values.config.endpoints }}
{{- if eq (.enforcement | default "enforce") "observe" }}

WARNING: {{ .name }} is only observed until {{ .observe_until }}: what its policy would hold back is released.
{{- end }}
{{- end }}
{{- end -}}
