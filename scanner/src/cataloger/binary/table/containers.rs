//! Programs that run, watch and build containers; most are written in Go.

use crate::cataloger::binary::classifier::{Classifier, elf};

const KUBERNETES: &[&str] = &["kubernetes:kubernetes"];

pub(super) const ALL: &[Classifier] = &[
    elf(
        "kubernetes",
        &[
            "kubelet",
            "kubeadm",
            "kube-apiserver",
            "kube-controller-manager",
            "kube-scheduler",
            "kube-proxy",
            "kubectl",
            "hyperkube",
        ],
        &[
            r"\x00v({digits}(?:-(?:rc|alpha|beta)\.[0-9]{1,3})?)(?:[-+][-+.0-9a-zA-Z]{1,40})?\x00",
            "{go}",
        ],
        KUBERNETES,
    )
    .of_go("k8s.io/kubernetes"),
    elf(
        "coredns",
        &["coredns"],
        &["{go}", "{constant}"],
        &["coredns.io:coredns"],
    )
    .of_go("github.com/coredns/coredns"),
    elf("helm", &["helm"], &["{go}"], &["helm:helm"]).of_go("helm.sh/helm/v3"),
    elf(
        "containerd",
        &[
            "containerd",
            "ctr",
            "containerd-shim",
            "containerd-shim-runc-v1",
            "containerd-shim-runc-v2",
            "containerd-stress",
        ],
        &["{go}"],
        &["linuxfoundation:containerd"],
    )
    .of_go("github.com/containerd/containerd"),
    elf("runc", &["runc", "docker-runc"], &["{go}"], &["linuxfoundation:runc"]).of_go("github.com/opencontainers/runc"),
    elf(
        "crun",
        &["crun"],
        &[r"\x00{version}\x00%s version %s\n"],
        &["crun_project:crun"],
    ),
    elf(
        "conmon",
        &["conmon"],
        &[r"conmon version {version}\n"],
        &["conmon_project:conmon"],
    ),
    elf("cri-tools", &["crictl", "critest"], &["{go}"], &[]).of_go("github.com/kubernetes-sigs/cri-tools"),
    elf("cri-o", &["crio"], &["{go}", "{constant}"], &["kubernetes:cri-o"]).of_go("github.com/cri-o/cri-o"),
    elf(
        "docker",
        &["dockerd", "docker-proxy"],
        &["{go}"],
        &["docker:docker", "mobyproject:moby"],
    )
    .of_go("github.com/docker/docker"),
    elf("docker-cli", &["docker"], &["{go}"], &["docker:command_line_interface"]).of_go("github.com/docker/cli"),
    elf("docker-compose", &["docker-compose"], &["{go}"], &["docker:compose"]).of_go("github.com/docker/compose/v2"),
    elf("docker-buildx", &["docker-buildx"], &["{go}"], &[]).of_go("github.com/docker/buildx"),
    elf(
        "buildkit",
        &["buildkitd", "buildctl"],
        &["{go}"],
        &["mobyproject:buildkit"],
    )
    .of_go("github.com/moby/buildkit"),
    elf("skopeo", &["skopeo"], &[r"skopeo/{version}[^0-9.]"], &[]).of_go("github.com/containers/skopeo"),
    elf(
        "tini",
        &["tini", "tini-static", "docker-init"],
        &[r"\x00tini version {version}"],
        &["tini_project:tini"],
    ),
    elf("gosu", &["gosu"], &["{go}", "{constant}"], &["gosu_project:gosu"]).of_go("github.com/tianon/gosu"),
    elf(
        "dumb-init",
        &["dumb-init"],
        &[r"[^0-9.]{version}\n\x00", r"dumb-init v{version}[^0-9.]"],
        &["yelp:dumb-init"],
    ),
    elf(
        "consul",
        &["consul"],
        &[r"CONSUL_VERSION: {version}", "{go}"],
        &["hashicorp:consul"],
    )
    .of_go("github.com/hashicorp/consul"),
    elf("vault", &["vault"], &["{go}"], &["hashicorp:vault"]).of_go("github.com/hashicorp/vault"),
    elf("nomad", &["nomad"], &["{go}"], &["hashicorp:nomad"]).of_go("github.com/hashicorp/nomad"),
    elf("terraform", &["terraform"], &["{go}"], &["hashicorp:terraform"]).of_go("github.com/hashicorp/terraform"),
    elf(
        "prometheus",
        &["prometheus", "promtool"],
        &["{go}"],
        &["prometheus:prometheus"],
    )
    .of_go("github.com/prometheus/prometheus"),
    elf(
        "alertmanager",
        &["alertmanager", "prometheus-alertmanager", "amtool"],
        &["{go}"],
        &["prometheus:alertmanager"],
    )
    .of_go("github.com/prometheus/alertmanager"),
    elf(
        "node_exporter",
        &["node_exporter", "prometheus-node-exporter"],
        &["{go}"],
        &["prometheus:node_exporter"],
    )
    .of_go("github.com/prometheus/node_exporter"),
    elf(
        "blackbox_exporter",
        &["blackbox_exporter", "prometheus-blackbox-exporter"],
        &["{go}"],
        &["prometheus:blackbox_exporter"],
    )
    .of_go("github.com/prometheus/blackbox_exporter"),
    elf(
        "mysqld_exporter",
        &["mysqld_exporter", "prometheus-mysqld-exporter"],
        &["{go}"],
        &[],
    )
    .of_go("github.com/prometheus/mysqld_exporter"),
    elf(
        "postgres_exporter",
        &["postgres_exporter", "prometheus-postgres-exporter"],
        &["{go}"],
        &[],
    )
    .of_go("github.com/prometheus-community/postgres_exporter"),
    elf(
        "pushgateway",
        &["pushgateway", "prometheus-pushgateway"],
        &["{go}"],
        &["prometheus:pushgateway"],
    )
    .of_go("github.com/prometheus/pushgateway"),
    elf(
        "grafana",
        &["grafana", "grafana-server", "grafana-cli"],
        &["{go}"],
        &["grafana:grafana"],
    )
    .of_go("github.com/grafana/grafana"),
    elf("loki", &["loki", "promtail", "logcli"], &["{go}"], &["grafana:loki"]).of_go("github.com/grafana/loki/v3"),
    elf("telegraf", &["telegraf"], &["{go}"], &["influxdata:telegraf"]).of_go("github.com/influxdata/telegraf"),
    elf(
        "argo-cd",
        &["argocd", "argocd-server"],
        &["{go}"],
        &["argoproj:argo_cd"],
    )
    .of_go("github.com/argoproj/argo-cd/v2"),
    elf("gitea", &["gitea"], &["{go}"], &["gitea:gitea"]).of_go("code.gitea.io/gitea"),
    elf("syncthing", &["syncthing"], &["{go}"], &["syncthing:syncthing"]).of_go("github.com/syncthing/syncthing"),
    elf(
        "hugo",
        &["hugo"],
        &[r"\x00[a-z]{3,12}:{version}-[0-9]{1,3}\x00", "{go}"],
        &["gohugo:hugo"],
    )
    .of_go("github.com/gohugoio/hugo"),
    elf("restic", &["restic"], &["{go}", "{constant}"], &["restic:restic"]).of_go("github.com/restic/restic"),
];
