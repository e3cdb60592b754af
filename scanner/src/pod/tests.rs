//! Manifests as people write them, and as they should not, in; containers, or errors that say where, out.

use super::*;

const DEPLOYMENT: &str = r#"
apiVersion: v1
kind: Service
metadata: {name: redis}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: redis
spec:
  template:
    spec:
      hostNetwork: true
      securityContext: {runAsUser: 999}
      initContainers:
        - name: prepare
          image: registry.example/tools:1
          command: [sh, -c, "mkdir -p /data/x"]
          securityContext: {runAsUser: 0}
      containers:
        - name: redis
          image: registry.example/team/redis:7
          args: [redis-server, --port, "6380"]
          workingDir: /data
          env:
            - {name: MODE, value: cluster}
            - name: PASSWORD
              valueFrom: {secretKeyRef: {name: redis, key: password}}
          ports:
            - {name: client, containerPort: 6380, hostPort: 6380}
            - {containerPort: 53, protocol: UDP}
          volumeMounts:
            - {name: data, mountPath: /data}
            - {name: config, mountPath: /etc/redis/redis.conf, subPath: redis.conf}
            - {name: scratch, mountPath: /scratch, readOnly: true}
          securityContext:
            readOnlyRootFilesystem: true
            capabilities: {drop: [ALL], add: [NET_BIND_SERVICE]}
          livenessProbe:
            exec: {command: [redis-cli, -p, "6380", ping]}
          readinessProbe:
            tcpSocket: {port: client}
          lifecycle:
            preStop: {exec: {command: [redis-cli, save]}}
      volumes:
        - {name: config, configMap: {name: redis}}
        - {name: scratch, emptyDir: {}}
"#;

#[test]
fn a_container_is_read_with_all_that_a_profile_can_use() {
    let all = parse(DEPLOYMENT).unwrap();
    let names: Vec<(&str, bool, Option<u32>)> = all
        .iter()
        .map(|one| (one.name.as_str(), one.is_init, one.run_as_user))
        .collect();
    assert_eq!(names, [("prepare", true, Some(0)), ("redis", false, Some(999))]);
    let redis = choose(all, "registry.example/team/redis@sha256:00", None).err();
    assert!(redis.is_some(), "a digest that is none names no repository");
    let redis = choose(parse(DEPLOYMENT).unwrap(), "registry.example/team/redis:8", None).unwrap();
    assert_eq!(redis.object, "Deployment redis");
    assert_eq!(redis.args, ["redis-server", "--port", "6380"]);
    assert_eq!(
        redis.env,
        [
            ("MODE".to_owned(), Some("cluster".to_owned())),
            ("PASSWORD".to_owned(), None)
        ]
    );
    let ports: Vec<(u16, Transport, Option<u16>)> = redis
        .ports
        .iter()
        .map(|one| (one.port.first, one.port.transport, one.host_port))
        .collect();
    assert_eq!(ports, [(6380, Transport::Tcp, Some(6380)), (53, Transport::Udp, None)]);
    let mounts: Vec<(&str, &str, bool)> = redis
        .mounts
        .iter()
        .map(|one| (one.path.as_str(), one.volume.as_str(), one.is_read_only))
        .collect();
    assert_eq!(
        mounts,
        [
            ("/data", "persistentVolumeClaim data", false),
            ("/etc/redis/redis.conf", "configMap config", true),
            ("/scratch", "emptyDir scratch", true),
        ]
    );
    assert!(redis.has_read_only_root && !redis.is_privileged && redis.host_namespaces == ["hostNetwork"]);
    assert_eq!(redis.added_capabilities, ["NET_BIND_SERVICE"]);
    let exec = |words: &[&str]| ProbeAction::Exec(words.iter().map(|word| (*word).to_owned()).collect());
    let probe = |kind, action| PodProbe { kind, action };
    assert_eq!(
        redis.probes,
        [
            probe("livenessProbe", exec(&["redis-cli", "-p", "6380", "ping"])),
            probe("readinessProbe", ProbeAction::Port(6380)),
            probe("preStop", exec(&["redis-cli", "save"])),
        ]
    );
}

#[test]
fn every_kind_that_runs_containers_is_read_as_json_too() {
    let pod = r#"{"containers": [{"name": "a", "image": "x"}]}"#;
    for (kind, spec) in [
        ("Pod", pod.to_owned()),
        ("StatefulSet", format!(r#"{{"template": {{"spec": {pod}}}}}"#)),
        ("DaemonSet", format!(r#"{{"template": {{"spec": {pod}}}}}"#)),
        ("Job", format!(r#"{{"template": {{"spec": {pod}}}}}"#)),
        (
            "CronJob",
            format!(r#"{{"jobTemplate": {{"spec": {{"template": {{"spec": {pod}}}}}}}}}"#),
        ),
    ] {
        let object = format!(r#"{{"kind": "{kind}", "metadata": {{"name": "n"}}, "spec": {spec}}}"#);
        let list = format!(r#"{{"kind": "List", "items": [{object}, {object}]}}"#);
        assert_eq!(parse(&object).unwrap()[0].object, format!("{kind} n"));
        assert_eq!(parse(&list).unwrap().len(), 2, "{kind}");
    }
}

#[test]
fn what_cannot_be_used_is_said_with_its_place() {
    let pod = |container: &str| format!("kind: Pod\nmetadata: {{name: p}}\nspec: {{containers: [{container}]}}");
    for (text, expected) in [
        ("a: [".to_owned(), "read the manifest"),
        ("kind: Service".to_owned(), "no Pod"),
        (String::new(), "no Pod"),
        ("kind: Pod".to_owned(), "Pod without a name: it has no pod spec"),
        ("kind: Pod\nspec: {containers: 1}".to_owned(), "containers is no list"),
        (pod("{name: a, command: sh}"), "Pod p, container a: command is no list"),
        (pod("{name: a, args: [1]}"), "args holds what is no text"),
        (
            pod("{name: a, ports: [{containerPort: 70000}]}"),
            "container a, ports: 70000 is no number that fits",
        ),
        (
            pod("{name: a, volumeMounts: [{mountPath: data}]}"),
            "a mountPath is not absolute",
        ),
        (pod("{name: a, env: [{value: x}]}"), "a variable has no name"),
        (
            pod("{name: a, readinessProbe: {tcpSocket: {port: web}}}"),
            "\"web\" is no number that fits",
        ),
        ("kind: List\nitems: [".repeat(9) + &"]".repeat(9), "read the manifest"),
    ] {
        let error = parse(&text).unwrap_err().to_string();
        assert!(error.contains(expected), "{text}: {error}");
    }
    let mut nested = r#"{"kind": "Pod", "spec": {}}"#.to_owned();
    for _ in 0..9 {
        nested = format!(r#"{{"kind": "List", "items": [{nested}]}}"#);
    }
    assert!(parse(&nested).unwrap_err().to_string().contains("too deeply"));
    assert!(matches!(parse(&" ".repeat(MAX_POD_BYTES + 1)), Err(PodError::Size)));
}

#[test]
fn which_container_is_meant_must_be_clear() {
    let both = || parse(DEPLOYMENT).unwrap();
    assert_eq!(choose(both(), "other", Some("prepare")).unwrap().name, "prepare");
    let error = choose(both(), "other", None).unwrap_err().to_string();
    assert!(
        error.contains("redis of Deployment redis (registry.example/team/redis:7)"),
        "{error}"
    );
    assert!(choose(both(), "other", Some("nobody")).is_err());
    let one = both().split_off(1);
    assert_eq!(choose(one, "other", None).unwrap().name, "redis");
}
