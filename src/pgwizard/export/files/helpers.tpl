{{/* postgresql.conf, in which a number or a word has no quotes. */}}
{{- define "postgresql.postgresql.conf" -}}
{{ regexReplaceAll QUOTED_BARE_VALUE (include "postgresql.quoted.postgresql.conf" .) "${1}${2}${3}" }}
{{- end }}

{{/* The level as text; nothing where nothing is compressed. 0 is a level. */}}
{{- define "postgresql.compress-level" -}}
{{- if not (kindIs "invalid" .Values.compression.level) -}}
{{ int64 .Values.compression.level }}
{{- end -}}
{{- end }}

{{/* The endpoint as pgBackRest takes it: no scheme but http, and no slash at its end. */}}
{{- define "postgresql.endpoint" -}}
{{- $endpoint := regexReplaceAll "(?i)^https://|/$" .Values.repository.endpoint "" -}}
{{ regexReplaceAll "(?i)^http://" $endpoint "http://" }}
{{- end }}

{{/* A line for each entry of a map, with a line break before it. Each value becomes text. */}}
{{- define "postgresql.pairs" -}}
{{- range $name, $value := . }}
{{ toJson $name }}: {{ ternary $value (toJson $value) (kindIs "string" $value) | toJson }}
{{- end }}
{{- end }}

{{- define "postgresql.labels" -}}
{{ include "postgresql.own.labels" . }}{{ include "postgresql.pairs" .Values.pods.labels }}
{{- end }}

{{- define "postgresql.selector" -}}
{{ include "postgresql.own.selector" . }}
{{- end }}

{{- define "postgresql.backup_labels" -}}
{{ include "postgresql.own.backup_labels" . }}{{ include "postgresql.pairs" .Values.pods.labels }}
{{- end }}

{{/* Those of the release's Jobs: the labels of jobs come before those of pods. */}}
{{- define "postgresql.answered_job_labels" -}}
{{- $labels := dict -}}
{{- range $key, $value := .Values.pods.labels }}{{- $_ := set $labels $key $value }}{{ end -}}
{{- range $key, $value := .Values.jobs.labels }}{{- $_ := set $labels $key $value }}{{ end -}}
{{ include "postgresql.pairs" $labels }}
{{- end }}

{{- define "postgresql.job_labels" -}}
{{ include "postgresql.own.backup_labels" . }}{{ include "postgresql.answered_job_labels" . }}
{{- end }}

{{- define "postgresql.job_annotations" -}}
{{ include "postgresql.pairs" .Values.jobs.annotations | trim }}
{{- end }}

{{- define "postgresql.pod_annotations" -}}
{{ include "postgresql.pairs" .Values.pods.annotations | trim }}
{{- end }}

{{- define "postgresql.node_selector" -}}
{{ include "postgresql.pairs" .Values.pods.nodeSelector | trim }}
{{- end }}

{{/* What must be right before anything is created. Each error is in the words of pgwizard's own survey. */}}
{{- define "postgresql.check" -}}
{{- include "postgresql.check-name" . -}}
{{- range $key, $schedule := pick .Values.schedule "full" "incremental" "verify" "drill" -}}
{{- if contains "-" ($schedule | default "") -}}
{{- include "postgresql.check-ranges" (list $key $schedule) -}}
{{- end -}}
{{- end -}}
{{- with .Values.credentials -}}
{{- include "postgresql.check-secret" (list $ .secret (list .usernameKey .passwordKey)) -}}
{{- end -}}
{{- if .Values.repository.enabled -}}
{{- with .Values.repository.credentials -}}
{{- include "postgresql.check-secret" (list $ .secret (list .accessKeyKey .secretKeyKey)) -}}
{{- end -}}
{{- with .Values.repository.cipher -}}
{{- include "postgresql.check-secret" (list $ .secret (list .passphraseKey)) -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* The schema reads a schedule but for the order in its ranges: the key of the schedule, and its text. */}}
{{- define "postgresql.check-ranges" -}}
{{- $names := dict "jan" 1 "feb" 2 "mar" 3 "apr" 4 "may" 5 "jun" 6 "jul" 7 "aug" 8 "sep" 9 "oct" 10 "nov" 11 "dec" 12 -}}
{{- $names = merge $names (dict "sun" 0 "mon" 1 "tue" 2 "wed" 3 "thu" 4 "fri" 5 "sat" 6) -}}
{{- range $range := regexFindAll "[0-9A-Za-z]+-[0-9A-Za-z]+" (index . 1) -1 -}}
{{- $ends := lower $range | splitList "-" -}}
{{- if gt (get $names (first $ends) | default (first $ends | atoi)) (get $names (last $ends) | default (last $ends | atoi)) -}}
{{- fail (printf "schedule.%s is %s, but the range %s ends before it begins" (index $ 0) (index $ 1) $range) -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* A Secret of the release's namespace: the root, its name and its keys. Where no cluster can be read, lookup finds
nothing at all, and nothing is checked; in a cluster a list of Secrets has at least its kind. */}}
{{- define "postgresql.check-secret" -}}
{{- $namespace := (index . 0).Release.Namespace -}}
{{- $name := index . 1 -}}
{{- $secret := lookup "v1" "Secret" $namespace $name -}}
{{- if $secret -}}
{{- $data := default (dict) $secret.data -}}
{{- range $key := index . 2 -}}
{{- include "postgresql.check-key" (list (printf "%s/%s" $namespace $name) $data $key) -}}
{{- $value := get $data $key | b64dec -}}
{{- if not $value -}}
{{- fail (printf "Secret %s/%s, key %s is empty" $namespace $name $key) -}}
{{- else if ne $value (trim $value) -}}
{{- fail (printf "Secret %s/%s, key %s begins or ends with a blank or a line break" $namespace $name $key) -}}
{{- else if or (ne (dict "text" $value | toJson | fromJson).text $value) (contains "\x00" $value) -}}
{{- fail (printf "Secret %s/%s, key %s is not text in UTF-8: no container would start with it" $namespace $name $key) -}}
{{- end -}}
{{- end -}}
{{- else if lookup "v1" "Secret" $namespace "" -}}
{{- fail (printf "Secret %s/%s does not exist. Create it before the install: the chart holds no secrets" $namespace $name) -}}
{{- end -}}
{{- end }}

{{- define "postgresql.check-key" -}}
{{- $data := index . 1 -}}
{{- if not (hasKey $data (index . 2)) -}}
{{- fail (printf "Secret %s has no key %s; its keys: %s" (index . 0) (index . 2) (keys $data | sortAlpha | join ", " | default "none")) -}}
{{- end -}}
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
{{- fail (printf "Secret %s does not exist; it should hold the certificate to trust. Name the Secret with the certificate of the S3 server in tls.source, or, where no cluster can be read, give the certificate: --set-file tls.certificate=ca.crt" $place) -}}
{{- end -}}
{{- $data := default (dict) $secret.data -}}
{{- include "postgresql.check-key" (list $place $data $source.key) -}}
{{- $certificate := get $data $source.key | b64dec -}}
{{- include "postgresql.check-certificate" (list (printf "Secret %s, key %s" $place $source.key) $certificate) -}}
{{ $certificate | b64enc }}
{{- end -}}
{{- end }}

{{- define "postgresql.check-certificate" -}}
{{- $where := index . 0 -}}
{{- $text := index . 1 -}}
{{- if contains "PRIVATE KEY-----" $text -}}
{{- fail (printf "%s holds a private key: give the certificate alone (the key must not leave the server)" $where) -}}
{{- else if not (trim $text) -}}
{{- fail (printf "%s is empty" $where) -}}
{{- else if not (contains "-----BEGIN CERTIFICATE-----" $text) -}}
{{- fail (printf "%s is not a certificate: expected PEM text that begins with -----BEGIN CERTIFICATE-----" $where) -}}
{{- else if not (contains "-----END CERTIFICATE-----" $text) -}}
{{- fail (printf "%s holds a certificate that is cut off: the END line is missing" $where) -}}
{{- end -}}
{{- end }}
