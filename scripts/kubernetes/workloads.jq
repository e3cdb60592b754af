# One object of each kind that runs containers, all called redis in namespace shop.
#   jq -n --arg kind Deployment --arg image IMAGE --arg init_image IMAGE -f workloads.jq

{ app: "redis" } as $labels
| { initContainers: [{ name: "prepare", image: $init_image, command: ["/bin/true"] }],
    containers: [{ name: "redis", image: $image, ports: [{ containerPort: 6379 }] }] } as $spec
| { metadata: { labels: $labels }, spec: $spec } as $template
| ($template | .spec.restartPolicy = "Never") as $once
| { replicas: 0, selector: { matchLabels: $labels }, template: $template } as $scaled
| { Pod: { apiVersion: "v1", metadata: { generateName: "redis-", labels: $labels }, spec: $spec },
    PodTemplate: { apiVersion: "v1", template: $template },
    ReplicationController: { apiVersion: "v1", spec: { replicas: 0, selector: $labels, template: $template } },
    Deployment: { apiVersion: "apps/v1", spec: $scaled },
    ReplicaSet: { apiVersion: "apps/v1", spec: $scaled },
    StatefulSet: { apiVersion: "apps/v1", spec: ($scaled + { serviceName: "redis" }) },
    DaemonSet: { apiVersion: "apps/v1", spec: ($scaled | del(.replicas)) },
    Job: { apiVersion: "batch/v1", spec: { template: $once } },
    CronJob: { apiVersion: "batch/v1", spec: { schedule: "0 4 * * *", jobTemplate: { spec: { template: $once } } } }
  }[$kind]
| .kind = $kind
| .metadata.namespace = "shop"
| if .metadata.generateName then . else .metadata.name = "redis" end
