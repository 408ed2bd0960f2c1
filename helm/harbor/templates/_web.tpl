{{/* Deployment, Service, PodDisruptionBudget and autoscaler of a role that answers http: dict "root" "component" "values" */}}
{{- define "harbor.web" -}}
{{- $root := .root -}}
{{- $values := .values -}}
{{- $name := printf "%s-%s" (include "harbor.fullname" $root) .component -}}
{{- $selector := include "harbor.selector" (dict "root" $root "component" .component) -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ $name }}
  labels:
    {{- include "harbor.labels" $root | nindent 4 }}
    component: {{ .component }}
spec:
  {{- if not $values.hpa.enabled }}
  replicas: {{ $values.replicas }}
  {{- end }}
  revisionHistoryLimit: {{ $root.Values.revisionHistoryLimit }}
  strategy:
    {{- toYaml $root.Values.updateStrategy | nindent 4 }}
  selector:
    matchLabels:
      {{- $selector | nindent 6 }}
  template:
    metadata:
      labels:
        {{- include "harbor.labels" $root | nindent 8 }}
        component: {{ .component }}
        {{- with $values.podLabels }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      annotations:
        checksum/config: {{ include (print $root.Template.BasePath "/config-secret.yaml") $root | sha256sum }}
        {{- with $values.podAnnotations }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
    spec:
      automountServiceAccountToken: false
      terminationGracePeriodSeconds: 120
      securityContext:
        {{- include "harbor.podSecurity" $root | nindent 8 }}
      initContainers:
        {{- include "harbor.waitForSchema" $root | nindent 8 }}
      containers:
        - name: {{ .component }}
          image: {{ include "harbor.image" (dict "root" $root "image" $values.image) }}
          imagePullPolicy: {{ $root.Values.imagePullPolicy }}
          args: [{{ if eq .component "waiting" }}waiting{{ else }}core{{ end }}]
          ports:
            - {name: http, containerPort: 8000}
            {{- if $root.Values.metrics.enabled }}
            - {name: metrics, containerPort: 8001}
            {{- end }}
          env:
            {{- include "harbor.environment" $root | nindent 12 }}
            {{- include "harbor.internalEnvironment" $root | nindent 12 }}
            - {name: HARBOR_CORE_WORKERS, value: {{ $values.workers | quote }}}
            - {name: HARBOR_{{ if eq .component "waiting" }}WAITING{{ else }}CORE{{ end }}_THREADS, value: {{ $values.threads | quote }}}
            {{- if $root.Values.metrics.enabled }}
            - {name: HARBOR_CORE_METRICS, value: "{{ include "harbor.anyAddress" $root }}:8001"}
            {{- end }}
            {{- if $root.Values.trace.enabled }}
            - {name: TRACE_SERVICE_NAME, value: harbor-{{ .component }}}
            {{- end }}
            {{- with $values.extraEnvVars }}
            {{- toYaml . | nindent 12 }}
            {{- end }}
          # Is the process alive: nothing behind it is asked, so that an outage elsewhere restarts nobody.
          livenessProbe:
            httpGet: {path: /api/v2.0/ping, port: http, scheme: {{ include "harbor.internalScheme" $root }}}
            periodSeconds: 10
            timeoutSeconds: 5
            failureThreshold: 6
          # Can it serve: it reads the database.
          readinessProbe:
            httpGet: {path: /api/v2.0/systeminfo, port: http, scheme: {{ include "harbor.internalScheme" $root }}}
            periodSeconds: 10
            timeoutSeconds: 5
          startupProbe:
            httpGet: {path: /api/v2.0/ping, port: http, scheme: {{ include "harbor.internalScheme" $root }}}
            periodSeconds: 2
            failureThreshold: 90
          lifecycle:
            # Endpoints are told to forget the pod while it still answers.
            preStop: {exec: {command: [sleep, "5"]}}
          resources:
            {{- toYaml $values.resources | nindent 12 }}
          volumeMounts:
            {{- include "harbor.mounts" (dict "root" $root "storage" true "keys" true) | nindent 12 }}
          securityContext:
            {{- include "harbor.containerSecurity" $root | nindent 12 }}
      volumes:
        {{- include "harbor.volumes" (dict "root" $root "storage" true "called" .component) | nindent 8 }}
      {{- include "harbor.placement" (dict "root" $root "component" .component "values" $values "sharesVolume" true) | nindent 6 }}
---
apiVersion: v1
kind: Service
metadata:
  name: {{ $name }}
  labels:
    {{- include "harbor.labels" $root | nindent 4 }}
    component: {{ .component }}
spec:
  ports:
    - {name: http, port: 8000, targetPort: http}
    {{- if $root.Values.metrics.enabled }}
    - {name: metrics, port: 8001, targetPort: metrics}
    {{- end }}
  selector:
    {{- $selector | nindent 4 }}
{{- include "harbor.scaling" (dict "root" $root "name" $name "component" .component "values" $values) }}
{{- end -}}

{{/* PodDisruptionBudget and autoscaler: dict "root" "name" "component" "values" */}}
{{- define "harbor.scaling" -}}
{{- if .values.pdb.enabled }}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ .name }}
  labels:
    {{- include "harbor.labels" .root | nindent 4 }}
    component: {{ .component }}
spec:
  minAvailable: {{ .values.pdb.minAvailable }}
  selector:
    matchLabels:
      {{- include "harbor.selector" (dict "root" .root "component" .component) | nindent 6 }}
{{- end }}
{{- if and .values.hpa .values.hpa.enabled }}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: {{ .name }}
  labels:
    {{- include "harbor.labels" .root | nindent 4 }}
    component: {{ .component }}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: {{ .name }}}
  minReplicas: {{ .values.hpa.minReplicas }}
  maxReplicas: {{ .values.hpa.maxReplicas }}
  metrics:
    - type: Resource
      resource:
        name: cpu
        target: {type: Utilization, averageUtilization: {{ .values.hpa.targetCPUUtilizationPercentage }}}
{{- end }}
{{- end -}}
