{{/* A value in the syntax of postgresql.conf: bare where it is a number or a word, else quoted. */}}
{{- define "postgresql.value" -}}
{{- if regexMatch BARE_VALUE . -}}
{{ . }}
{{- else -}}
'{{ . | replace "\\" "\\\\" | replace "'" "''" }}'
{{- end -}}
{{- end }}

{{/* The level as text; nothing where nothing is compressed. 0 is a level. */}}
{{- define "postgresql.compress-level" -}}
{{- if not (kindIs "invalid" .Values.compression.level) -}}
{{ int64 .Values.compression.level }}
{{- end -}}
{{- end }}

{{/* A list of {name, value}: the first argument, and the entries of the second, a map. */}}
{{- define "postgresql.pairs" -}}
{{- $pairs := index . 0 -}}
{{- range $name, $value := index . 1 -}}
{{- $pairs = append $pairs (dict "name" $name "value" $value) -}}
{{- end -}}
{{ toJson $pairs }}
{{- end }}

{{- define "postgresql.labels" -}}
{{ include "postgresql.pairs" (list (include "postgresql.own.labels" . | fromJsonArray) .Values.pods.labels) }}
{{- end }}

{{- define "postgresql.selector" -}}
{{ include "postgresql.own.selector" . }}
{{- end }}

{{- define "postgresql.backup_labels" -}}
{{ include "postgresql.pairs" (list (include "postgresql.own.backup_labels" . | fromJsonArray) .Values.pods.labels) }}
{{- end }}

{{- define "postgresql.job_labels" -}}
{{- $labels := dict -}}
{{- range $key, $value := .Values.pods.labels }}{{- $_ := set $labels $key $value }}{{ end -}}
{{- range $key, $value := .Values.jobs.labels }}{{- $_ := set $labels $key $value }}{{ end -}}
{{ include "postgresql.pairs" (list (include "postgresql.own.backup_labels" . | fromJsonArray) $labels) }}
{{- end }}

{{- define "postgresql.job_annotations" -}}
{{ include "postgresql.pairs" (list list .Values.jobs.annotations) }}
{{- end }}

{{- define "postgresql.pod_annotations" -}}
{{ include "postgresql.pairs" (list list .Values.pods.annotations) }}
{{- end }}

{{- define "postgresql.node_selector" -}}
{{ include "postgresql.pairs" (list list .Values.pods.nodeSelector) }}
{{- end }}

{{- define "postgresql.check-name" -}}
{{- if or (gt (len .Release.Name) 36) (not (regexMatch "^[a-z]([-a-z0-9]*[a-z0-9])?$" .Release.Name)) -}}
{{- fail (printf "the release's name is %s: expected at most 36 lower-case letters, digits and hyphens, beginning with a letter, so that the names of its CronJobs fit" .Release.Name) -}}
{{- end -}}
{{- end }}

{{/* Where the mirrored certificate comes from. */}}
{{- define "postgresql.ca-source" -}}
{{- with .Values.tls.source -}}
{{ printf "%s/%s/%s" .namespace .secret .key }}
{{- else -}}
value tls.certificate
{{- end -}}
{{- end }}

{{/* The certificate to trust, in base64: the value, or what the source Secret holds now. Anything else is an error. */}}
{{- define "postgresql.ca-certificate" -}}
{{- if .Values.tls.certificate -}}
{{- include "postgresql.check-certificate" (list "tls.certificate" .Values.tls.certificate) -}}
{{ .Values.tls.certificate | b64enc }}
{{- else -}}
{{- $source := required "tls.enabled needs tls.source or tls.certificate: name the Secret with the CA, or give its certificate with --set-file tls.certificate=ca.crt" .Values.tls.source -}}
{{- $place := printf "%s/%s" $source.namespace $source.secret -}}
{{- $secret := lookup "v1" "Secret" $source.namespace $source.secret -}}
{{- if not $secret -}}
{{- fail (printf "Secret %s does not exist. Name the Secret with the certificate of the S3 server in tls.source, or, where no cluster can be read, give the certificate: --set-file tls.certificate=ca.crt" $place) -}}
{{- end -}}
{{- $data := default (dict) $secret.data -}}
{{- if not (hasKey $data $source.key) -}}
{{- fail (printf "Secret %s has no key %s. It has %s. Name one of them in tls.source.key" $place $source.key (keys $data | sortAlpha | join ", " | default "none")) -}}
{{- end -}}
{{- $certificate := get $data $source.key | b64dec -}}
{{- include "postgresql.check-certificate" (list (printf "Secret %s, key %s" $place $source.key) $certificate) -}}
{{ $certificate | b64enc }}
{{- end -}}
{{- end }}

{{- define "postgresql.check-certificate" -}}
{{- $where := index . 0 -}}
{{- $text := index . 1 -}}
{{- if contains "PRIVATE KEY-----" $text -}}
{{- fail (printf "%s holds a private key: give the certificate alone" $where) -}}
{{- end -}}
{{- if not (and (contains "-----BEGIN CERTIFICATE-----" $text) (contains "-----END CERTIFICATE-----" $text)) -}}
{{- fail (printf "%s is not a certificate: expected PEM text that begins with -----BEGIN CERTIFICATE-----" $where) -}}
{{- end -}}
{{- end }}
