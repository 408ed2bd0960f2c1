{{- define "harbor.fullname" -}}
{{- printf "%s-%s" .Release.Name (default .Chart.Name .Values.nameOverride) | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{- define "harbor.labels" -}}
app: harbor
chart: {{ .Chart.Name }}
heritage: {{ .Release.Service }}
release: {{ .Release.Name }}
app.kubernetes.io/name: harbor
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: harbor
{{- end -}}

{{/* Labels that select one component's pods: dict "root" "component" */}}
{{- define "harbor.selector" -}}
app: harbor
release: {{ .root.Release.Name }}
component: {{ .component }}
{{- end -}}

{{- define "harbor.secret" -}}{{ include "harbor.fullname" . }}-secrets{{- end -}}
{{- define "harbor.config" -}}{{ include "harbor.fullname" . }}-config{{- end -}}

{{/* dict "root" "image" */}}
{{- define "harbor.image" -}}
{{- $registry := .root.Values.image.registry -}}
{{- $tag := .image.tag | default .root.Values.image.tag | default .root.Chart.AppVersion -}}
{{- if $registry }}{{ $registry }}/{{ end }}{{ .image.repository }}:{{ $tag }}
{{- end -}}

{{- define "harbor.logLevel" -}}
{{- $level := lower .Values.logLevel -}}
{{- if eq $level "fatal" }}critical{{ else if eq $level "warn" }}warning{{ else }}{{ $level }}{{ end -}}
{{- end -}}

{{/* Does the pod itself end TLS? With an ingress or a route somebody else does. */}}
{{- define "harbor.ownTLS" -}}
{{- if and .Values.expose.tls.enabled (not (has .Values.expose.type (list "ingress" "route"))) }}yes{{ end -}}
{{- end -}}

{{- define "harbor.tlsSecret" -}}
{{- if eq .Values.expose.tls.certSource "secret" }}{{ .Values.expose.tls.secret.secretName }}
{{- else if eq .Values.expose.tls.certSource "auto" }}{{ include "harbor.secret" . }}-tls
{{- end -}}
{{- end -}}

{{/* The Secret with a component's certificate between pods: dict "root" "component" */}}
{{- define "harbor.internalSecret" -}}
{{- $tls := .root.Values.internalTLS -}}
{{- if eq $tls.certSource "auto" }}{{ include "harbor.secret" .root }}-internal-tls
{{- else if eq $tls.certSource "manual" }}{{ include "harbor.fullname" .root }}-{{ .component }}-internal-tls
{{- else }}{{ required (printf "internalTLS.%s.secretName is missing" .component) (index $tls .component).secretName }}
{{- end -}}
{{- end -}}

{{/* What a role that is called needs beside what all have. */}}
{{- define "harbor.internalEnvironment" -}}
{{- if .Values.internalTLS.enabled }}
- {name: INTERNAL_TLS_CERT_PATH, value: /internal-tls/tls.crt}
- {name: INTERNAL_TLS_KEY_PATH, value: /internal-tls/tls.key}
{{- end }}
{{- end -}}

{{- define "harbor.internalTrust" -}}
{{- if .Values.internalTLS.enabled }}
- {name: INTERNAL_TLS_ENABLED, value: "true"}
- {name: INTERNAL_TLS_TRUST_CA_PATH, value: /internal-tls/ca.crt}
{{- end }}
{{- end -}}

{{/* Does the ingress speak TLS to the gateway? */}}
{{- define "harbor.gatewayTLS" -}}
{{- if and .Values.internalTLS.enabled (eq .Values.expose.type "ingress") }}yes{{ end -}}
{{- end -}}

{{/* Scheme of probes and scrapes of a role that is called. */}}
{{- define "harbor.internalScheme" -}}
{{- ternary "HTTPS" "HTTP" .Values.internalTLS.enabled -}}
{{- end -}}

{{/* Every address of the pod. */}}
{{- define "harbor.anyAddress" -}}
{{- ternary "0.0.0.0" "[::]" .Values.ipFamily.ipv4.enabled -}}
{{- end -}}

{{- define "harbor.filesystem" -}}
{{- if eq .Values.persistence.imageChartStorage.type "filesystem" }}yes{{ end -}}
{{- end -}}

{{- define "harbor.registryClaim" -}}
{{- .Values.persistence.persistentVolumeClaim.registry.existingClaim | default (printf "%s-registry" (include "harbor.fullname" .)) -}}
{{- end -}}

{{- define "harbor.databaseHost" -}}
{{- if eq .Values.database.type "internal" }}{{ include "harbor.fullname" . }}-database{{ else }}{{ .Values.database.external.host }}{{ end -}}
{{- end -}}

{{/* The database's URL without a password. */}}
{{- define "harbor.databaseURL" -}}
{{- if eq .Values.database.type "internal" -}}
postgres://harbor@{{ include "harbor.databaseHost" . }}:5432/harbor
{{- else -}}
{{- with .Values.database.external -}}
postgres://{{ .username | urlquery | replace "+" "%20" }}@{{ .host }}:{{ .port }}/{{ .coreDatabase }}?sslmode={{ .sslmode }}{{ if .parameters }}&{{ .parameters }}{{ end }}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Redis without a password: redis://, rediss:// or redis+sentinel://host:port,host:port/master/db */}}
{{- define "harbor.redisURL" -}}
{{- if eq .Values.redis.type "internal" -}}
redis://{{ include "harbor.fullname" . }}-redis:6379/0
{{- else -}}
{{- with .Values.redis.external -}}
{{- if .sentinelMasterSet -}}
redis{{ if .tlsOptions.enable }}s{{ end }}+sentinel://{{ .addr }}/{{ .sentinelMasterSet }}/{{ .coreDatabaseIndex }}
{{- else -}}
redis{{ if .tlsOptions.enable }}s{{ end }}://{{ .addr }}/{{ .coreDatabaseIndex }}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Environment of every Python role. */}}
{{- define "harbor.environment" -}}
- {name: HARBOR_EXTERNAL_URL, value: {{ .Values.externalURL | trimSuffix "/" | quote }}}
- {name: HARBOR_LOG_LEVEL, value: {{ include "harbor.logLevel" . | quote }}}
- {name: HARBOR_LOG_FORMAT, value: {{ .Values.logFormat | quote }}}
- {name: HARBOR_REGISTRY_URL, value: "http://{{ include "harbor.fullname" . }}-registry:5000"}
- {name: HARBOR_DATABASE_URL, value: {{ include "harbor.databaseURL" . | quote }}}
- name: HARBOR_DATABASE_PASSWORD
  valueFrom:
    secretKeyRef:
{{- if eq .Values.database.type "internal" }}
      {name: {{ include "harbor.secret" . }}, key: database_password}
{{- else if .Values.database.external.existingSecret }}
      {name: {{ .Values.database.external.existingSecret }}, key: password}
{{- else }}
      {name: {{ include "harbor.config" . }}, key: databasePassword}
{{- end }}
- {name: HARBOR_TOKEN_KEY_DIR, value: /secrets-token}
- {name: HARBOR_REDIS_URL, value: {{ include "harbor.redisURL" . | quote }}}
{{- if eq .Values.redis.type "external" }}
{{- with .Values.redis.external.username }}
- {name: HARBOR_REDIS_USERNAME, value: {{ . | quote }}}
{{- end }}
{{- if .Values.redis.external.existingSecret }}
- name: HARBOR_REDIS_PASSWORD
  valueFrom: {secretKeyRef: {name: {{ .Values.redis.external.existingSecret }}, key: REDIS_PASSWORD}}
{{- else if .Values.redis.external.password }}
- name: HARBOR_REDIS_PASSWORD
  valueFrom: {secretKeyRef: {name: {{ include "harbor.config" . }}, key: redisPassword}}
{{- end }}
{{- end }}
{{ include "harbor.storageEnvironment" . }}
- {name: HARBOR_JOB_LOGGERS, value: {{ join "," .Values.jobservice.jobLoggers | quote }}}
{{- with .Values.core.configureUserSettings }}
- {name: CONFIG_OVERWRITE_JSON, value: {{ . | quote }}}
{{- end }}
{{- if .Values.caBundleSecretName }}
- {name: SSL_CERT_FILE, value: /ca/ca.crt}
- {name: REQUESTS_CA_BUNDLE, value: /ca/ca.crt}
{{- end }}
{{- with .Values.proxy.httpProxy }}
- {name: HTTP_PROXY, value: {{ . | quote }}}
{{- end }}
{{- with .Values.proxy.httpsProxy }}
- {name: HTTPS_PROXY, value: {{ . | quote }}}
{{- end }}
{{- if or .Values.proxy.httpProxy .Values.proxy.httpsProxy }}
- {name: NO_PROXY, value: "{{ .Values.proxy.noProxy }},{{ include "harbor.fullname" . }}-core,{{ include "harbor.fullname" . }}-registry,{{ include "harbor.fullname" . }}-redis,{{ include "harbor.fullname" . }}-database"}
{{- end }}
{{- include "harbor.internalTrust" . }}
{{- if .Values.trace.enabled }}
- {name: TRACE_SAMPLE_RATE, value: {{ .Values.trace.sample_rate | quote }}}
{{- with .Values.trace.namespace }}
- {name: TRACE_NAMESPACE, value: {{ . | quote }}}
{{- end }}
{{- with .Values.trace.attributes }}
- {name: TRACE_ATTRIBUTES, value: {{ toJson . | quote }}}
{{- end }}
{{- with .Values.trace.otel }}
- {name: TRACE_OTEL_ENDPOINT, value: {{ .endpoint | quote }}}
- {name: TRACE_OTEL_URL_PATH, value: {{ .url_path | quote }}}
- {name: TRACE_OTEL_COMPRESSION, value: {{ .compression | quote }}}
- {name: TRACE_OTEL_INSECURE, value: {{ .insecure | quote }}}
- {name: TRACE_OTEL_TIMEOUT, value: {{ .timeout | quote }}}
{{- end }}
- {name: TRACE_ENABLED, value: "true"}
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Storage driver and its options, for core, jobservice and registry. */}}
{{- define "harbor.storageEnvironment" -}}
{{- $storage := .Values.persistence.imageChartStorage -}}
{{- $type := $storage.type -}}
- {name: HARBOR_STORAGE_DRIVER, value: {{ $type | quote }}}
{{- if ne $type "filesystem" }}
- {name: HARBOR_STORAGE_REDIRECT, value: {{ not $storage.disableredirect | quote }}}
{{- $secret := (index $storage $type).existingSecret }}
{{- $hidden := dict "s3" (list "accesskey" "secretkey") "azure" (list "accountkey") "gcs" (list "encodedkey") "swift" (list "password") "oss" (list "accesskeysecret") }}
{{- range $name, $value := index $storage $type }}
{{- if and (ne $name "existingSecret") (not (has $name (index $hidden $type))) (ne (toString $value) "") }}
- {name: HARBOR_STORAGE_{{ upper $type }}_{{ upper $name }}, value: {{ toString $value | quote }}}
{{- end }}
{{- end }}
{{- if eq $type "gcs" }}
- {name: HARBOR_STORAGE_GCS_KEYFILE, value: /gcs/gcs-key.json}
{{- else }}
{{- range $name := index $hidden $type }}
{{- if $secret }}
- name: HARBOR_STORAGE_{{ upper $type }}_{{ upper $name }}
  valueFrom: {secretKeyRef: {name: {{ $secret }}, key: REGISTRY_STORAGE_{{ upper $type }}_{{ upper $name }}}}
{{- else if index (index $storage $type) $name }}
- name: HARBOR_STORAGE_{{ upper $type }}_{{ upper $name }}
  valueFrom: {secretKeyRef: {name: {{ include "harbor.config" $ }}, key: storage-{{ $name }}}}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{/* Volumes of a pod: dict "root" "storage" (needs the registry's volume) "tls" "called" (its own component, if called) */}}
{{- define "harbor.volumes" -}}
{{- $root := .root -}}
- {name: tmp, emptyDir: {}}
- {name: run, emptyDir: {medium: Memory, sizeLimit: 64Mi}}
- name: secrets
  projected:
    defaultMode: 0440
    sources:
      - secret:
          name: {{ $root.Values.existingSecretSecretKey | default (include "harbor.secret" $root) }}
          items: [{key: secret_key, path: secret_key}, {key: registry_http_secret, path: registry_http_secret}]
      - secret:
          name: {{ include "harbor.secret" $root }}
          items: [{key: registry.key, path: keys/internal/registry.key}, {key: registry.crt, path: keys/internal/registry.crt}]
- name: token-keys
  secret: {secretName: {{ include "harbor.secret" $root }}-token-keys, defaultMode: 0440}
{{- if and .storage (include "harbor.filesystem" $root) }}
- name: storage
{{- if $root.Values.persistence.enabled }}
  persistentVolumeClaim: {claimName: {{ include "harbor.registryClaim" $root }}}
{{- else }}
  emptyDir: {}
{{- end }}
{{- end }}
{{- if eq $root.Values.persistence.imageChartStorage.type "gcs" }}
- name: gcs
  secret:
    secretName: {{ $root.Values.persistence.imageChartStorage.gcs.existingSecret | default (include "harbor.config" $root) }}
    items: [{key: {{ ternary "GCS_KEY_DATA" "storage-encodedkey" (ne $root.Values.persistence.imageChartStorage.gcs.existingSecret "") }}, path: gcs-key.json}]
{{- end }}
{{- if $root.Values.internalTLS.enabled }}
- name: internal-tls
  secret:
    secretName: {{ include "harbor.internalSecret" (dict "root" $root "component" (.called | default "core")) }}
    defaultMode: 0440
    items: [{key: ca.crt, path: ca.crt}{{ if .called }}, {key: tls.crt, path: tls.crt}, {key: tls.key, path: tls.key}{{ end }}]
{{- end }}
{{- if $root.Values.caBundleSecretName }}
- {name: ca, secret: {secretName: {{ $root.Values.caBundleSecretName }}, items: [{key: ca.crt, path: ca.crt}]}}
{{- end }}
{{- if and .tls (include "harbor.ownTLS" $root) }}
- {name: tls, secret: {secretName: {{ include "harbor.tlsSecret" $root }}, items: [{key: tls.crt, path: tls.crt}, {key: tls.key, path: tls.key}]}}
{{- end }}
{{- end -}}

{{/* Mounts of a container: dict "root" "storage" "readOnly" "keys" */}}
{{- define "harbor.mounts" -}}
{{- $root := .root -}}
- {name: tmp, mountPath: /tmp}
- {name: run, mountPath: /run/harbor}
- {name: secrets, mountPath: /secrets, readOnly: true}
{{- if .keys }}
- {name: token-keys, mountPath: /secrets-token, readOnly: true}
{{- end }}
{{- if and .storage (include "harbor.filesystem" $root) }}
- name: storage
  mountPath: /storage
  {{- with $root.Values.persistence.persistentVolumeClaim.registry.subPath }}
  subPath: {{ . }}
  {{- end }}
  readOnly: {{ .readOnly | default false }}
{{- end }}
{{- if eq $root.Values.persistence.imageChartStorage.type "gcs" }}
- {name: gcs, mountPath: /gcs, readOnly: true}
{{- end }}
{{- if $root.Values.internalTLS.enabled }}
- {name: internal-tls, mountPath: /internal-tls, readOnly: true}
{{- end }}
{{- if $root.Values.caBundleSecretName }}
- {name: ca, mountPath: /ca, readOnly: true}
{{- end }}
{{- end -}}

{{- define "harbor.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10000
runAsGroup: 10000
fsGroup: 10000
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "harbor.containerSecurity" -}}
{{- toYaml .Values.containerSecurityContext -}}
{{- end -}}

{{/* Placement of a component's pods: dict "root" "component" "values" */}}
{{- define "harbor.placement" -}}
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.serviceAccountName }}
serviceAccountName: {{ . }}
{{- end }}
{{- with .values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .values.topologySpreadConstraints }}
topologySpreadConstraints:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- if .values.affinity }}
affinity:
  {{- toYaml .values.affinity | nindent 2 }}
{{- else if and .sharesVolume (include "harbor.filesystem" .root) .root.Values.persistence.enabled (eq .root.Values.persistence.persistentVolumeClaim.registry.accessMode "ReadWriteOnce") (ne .component "registry") }}
# The registry's volume can be mounted on one node only: what shares it goes there.
affinity:
  podAffinity:
    requiredDuringSchedulingIgnoredDuringExecution:
      - topologyKey: kubernetes.io/hostname
        labelSelector:
          matchLabels:
            {{- include "harbor.selector" (dict "root" .root "component" "registry") | nindent 12 }}
{{- end }}
{{- end -}}

{{/* Waits until the schema is that of this release. */}}
{{- define "harbor.waitForSchema" -}}
- name: wait-for-schema
  image: {{ include "harbor.image" (dict "root" . "image" .Values.core.image) }}
  imagePullPolicy: {{ .Values.imagePullPolicy }}
  args: [wait]
  env:
    {{- include "harbor.environment" . | nindent 4 }}
  volumeMounts:
    {{- include "harbor.mounts" (dict "root" .) | nindent 4 }}
  securityContext:
    {{- include "harbor.containerSecurity" . | nindent 4 }}
{{- end -}}
