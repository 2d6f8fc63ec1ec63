{{/* honorLabels, there: the operator's own label `endpoint` would take the place of ours. */}}
{{- define "privacy-gateway.scrape" -}}
{{- if .Values.monitoring.nativeHistograms -}}
scrapeProtocols: [PrometheusProto, OpenMetricsText1.0.0, OpenMetricsText0.0.1, PrometheusText0.0.4]
scrapeNativeHistograms: true
scrapeClassicHistograms: true
{{- end -}}
{{- end -}}

{{/*
A rule file with the targets, the alerts' labels and the runbooks' base of the values. A target is a
rule that records a constant; the bound of the latency stands in one more rule, as a bucket.
Arguments: root, path.
*/}}
{{- define "privacy-gateway.rules" -}}
{{- $values := .root.Values.monitoring.rules -}}
{{- $file := .root.Files.Get .path | fromYaml -}}
{{- range $group := $file.groups -}}
{{- range $rule := $group.rules -}}
{{- $record := $rule.record | default "" -}}
{{- range $target, $value := $values.targets -}}
{{- if hasPrefix (printf "privacy_gateway:%s:" $target) $record -}}
{{- $_ := set $rule "expr" (toString $value) -}}
{{- end -}}
{{- end -}}
{{- if and (hasPrefix "job:privacy_gateway_slo_failures:count" $record) (eq (dig "labels" "slo" "" $rule) "latency") (hasKey $values.targets "latency_bound") -}}
{{- $_ := set $rule "expr" (replace "0.25" (toString $values.targets.latency_bound) $rule.expr) -}}
{{- end -}}
{{- if $rule.alert -}}
{{- $_ := set $rule "labels" (merge (deepCopy $values.alertLabels) ($rule.labels | default dict)) -}}
{{- with dig "annotations" "runbook_url" "" $rule -}}
{{- $_ := set $rule.annotations "runbook_url" (printf "%s%s" $values.runbookBase .) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toYaml $file -}}
{{- end -}}
