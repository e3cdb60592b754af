//! One object of a manifest in, its containers out.

use plimsoll_model::Transport;
use serde_json::{Map, Value};

use super::{PodContainer, PodError, PodMount, PodPort, PodProbe, ProbeAction, port};
use crate::limits::{MAX_POD_CONTAINERS, MAX_POD_DEPTH, MAX_POD_ENTRIES};

/// Where each kind that runs containers has its pod spec.
const SPECS: &[(&str, &str)] = &[
    ("Pod", "/spec"),
    ("PodTemplate", "/template/spec"),
    ("ReplicationController", "/spec/template/spec"),
    ("Deployment", "/spec/template/spec"),
    ("ReplicaSet", "/spec/template/spec"),
    ("StatefulSet", "/spec/template/spec"),
    ("DaemonSet", "/spec/template/spec"),
    ("Job", "/spec/template/spec"),
    ("CronJob", "/spec/jobTemplate/spec/template/spec"),
];
/// Volumes that are always mounted read-only, whatever `readOnly` says (Kubernetes documentation, Storage: ConfigMap,
/// Secret, downwardAPI and projected volumes).
const ALWAYS_READ_ONLY: &[&str] = &["configMap", "secret", "downwardAPI", "projected", "image"];
/// Probes of a container, and hooks of its life.
const PROBES: &[(&str, &str)] = &[
    ("livenessProbe", "/livenessProbe"),
    ("readinessProbe", "/readinessProbe"),
    ("startupProbe", "/startupProbe"),
    ("postStart", "/lifecycle/postStart"),
    ("preStop", "/lifecycle/preStop"),
];

/// Adds the containers of an object; of a list of objects, those of each. Other kinds have none.
pub(super) fn object(document: &Value, containers: &mut Vec<PodContainer>) -> Result<(), PodError> {
    nested(document, 0, containers)
}

fn nested(document: &Value, depth: usize, containers: &mut Vec<PodContainer>) -> Result<(), PodError> {
    let kind = document["kind"].as_str().unwrap_or_default();
    if kind.ends_with("List")
        && let Some(items) = document["items"].as_array()
    {
        if depth >= MAX_POD_DEPTH {
            return Err(form(kind, "lists of objects are nested too deeply"));
        }
        return items.iter().try_for_each(|item| nested(item, depth + 1, containers));
    }
    let Some((_, pointer)) = SPECS.iter().find(|(known, _)| *known == kind) else {
        return Ok(());
    };
    let name = document.pointer("/metadata/name").and_then(Value::as_str);
    let place = format!("{kind} {}", name.unwrap_or("without a name"));
    let spec = document.pointer(pointer).and_then(Value::as_object);
    let spec = spec.ok_or_else(|| form(&place, "it has no pod spec"))?;
    for (list, is_init) in [("initContainers", true), ("containers", false)] {
        for container in list_of(spec, list, &place)? {
            if containers.len() >= MAX_POD_CONTAINERS {
                return Err(form(&place, "there are too many containers"));
            }
            containers.push(read(container, spec, &place, is_init)?);
        }
    }
    Ok(())
}

fn read(container: &Value, spec: &Map<String, Value>, object: &str, is_init: bool) -> Result<PodContainer, PodError> {
    let name = container["name"].as_str().unwrap_or_default();
    let place = format!("{object}, container {name}");
    let fields = container.as_object().ok_or_else(|| form(&place, "it is no mapping"))?;
    let context = |field: &str| {
        let own = container["securityContext"].get(field).filter(|value| !value.is_null());
        own.or_else(|| spec.get("securityContext")?.get(field).filter(|value| !value.is_null()))
    };
    let is_true = |field: &str| context(field).and_then(Value::as_bool).unwrap_or(false);
    let ports = ports(fields, &place)?;
    let host_namespaces = ["hostNetwork", "hostPID", "hostIPC"];
    Ok(PodContainer {
        object: object.to_owned(),
        name: name.to_owned(),
        image: container["image"].as_str().unwrap_or_default().to_owned(),
        is_init,
        command: texts(fields, "command", &place)?,
        args: texts(fields, "args", &place)?,
        working_dir: container["workingDir"].as_str().map(str::to_owned),
        env: environment(fields, &place)?,
        has_env_from: !list_of(fields, "envFrom", &place)?.is_empty(),
        mounts: mounts(fields, spec, &place)?,
        run_as_user: match context("runAsUser") {
            None => None,
            Some(value) => Some(number(value, &format!("{place}, runAsUser"))?),
        },
        has_read_only_root: is_true("readOnlyRootFilesystem"),
        is_privileged: is_true("privileged"),
        added_capabilities: match container.pointer("/securityContext/capabilities") {
            Some(Value::Object(capabilities)) => texts(capabilities, "add", &place)?,
            _ => Vec::new(),
        },
        host_namespaces: host_namespaces
            .into_iter()
            .filter(|field| spec.get(*field) == Some(&Value::Bool(true)))
            .collect(),
        probes: probes(container, &ports, &place)?,
        ports,
    })
}

fn ports(container: &Map<String, Value>, place: &str) -> Result<Vec<PodPort>, PodError> {
    let place = format!("{place}, ports");
    let mut ports = Vec::new();
    for one in list_of(container, "ports", &place)? {
        let transport = match one["protocol"].as_str().unwrap_or("TCP") {
            "TCP" => Transport::Tcp,
            "UDP" => Transport::Udp,
            _ => Transport::Other,
        };
        let host_port = match &one["hostPort"] {
            Value::Null => None,
            value => Some(number::<u16>(value, &place)?).filter(|port| *port != 0),
        };
        ports.push(PodPort {
            name: one["name"].as_str().unwrap_or_default().to_owned(),
            port: port(transport, number(&one["containerPort"], &place)?),
            host_port,
        });
    }
    Ok(ports)
}

fn environment(container: &Map<String, Value>, place: &str) -> Result<Vec<(String, Option<String>)>, PodError> {
    let place = format!("{place}, env");
    let mut variables = Vec::new();
    for one in list_of(container, "env", &place)? {
        let name = one["name"]
            .as_str()
            .ok_or_else(|| form(&place, "a variable has no name"))?;
        let value = match (&one["value"], &one["valueFrom"]) {
            (Value::String(value), _) => Some(value.clone()),
            (Value::Null, Value::Null) => Some(String::new()),
            (Value::Null, _) => None,
            _ => return Err(form(&place, &format!("the value of {name} is no text"))),
        };
        variables.push((name.to_owned(), value));
    }
    Ok(variables)
}

fn mounts(container: &Map<String, Value>, spec: &Map<String, Value>, place: &str) -> Result<Vec<PodMount>, PodError> {
    let place = format!("{place}, volumeMounts");
    let volumes = list_of(spec, "volumes", &place)?;
    let mut mounts = Vec::new();
    for one in list_of(container, "volumeMounts", &place)? {
        let path = one["mountPath"].as_str().filter(|path| path.starts_with('/'));
        let path = path.ok_or_else(|| form(&place, "a mountPath is not absolute"))?;
        let name = one["name"].as_str().unwrap_or_default();
        let volume = volumes.iter().find(|volume| volume["name"] == name);
        let kinds = volume.and_then(Value::as_object).into_iter().flatten();
        let kind = kinds.map(|(kind, _)| kind.as_str()).find(|kind| *kind != "name");
        // A StatefulSet's volumeClaimTemplates are named by no volume.
        let kind = kind.unwrap_or("persistentVolumeClaim");
        mounts.push(PodMount {
            path: path.to_owned(),
            volume: format!("{kind} {name}"),
            is_read_only: one["readOnly"] == true || ALWAYS_READ_ONLY.contains(&kind),
            has_sub_path: !one["subPath"].is_null() || !one["subPathExpr"].is_null(),
        });
    }
    Ok(mounts)
}

fn probes(container: &Value, ports: &[PodPort], place: &str) -> Result<Vec<PodProbe>, PodError> {
    let mut probes = Vec::new();
    for (kind, pointer) in PROBES {
        let Some(probe) = container.pointer(pointer).and_then(Value::as_object) else {
            continue;
        };
        let place = format!("{place}, {kind}");
        let mut action = None;
        if let Some(exec) = probe.get("exec").and_then(Value::as_object) {
            let command = texts(exec, "command", &place)?;
            action = (!command.is_empty()).then_some(ProbeAction::Exec(command));
        }
        for dialled in ["httpGet", "tcpSocket", "grpc"] {
            let target = probe.get(dialled).map(|probe| &probe["port"]);
            // A hook dials whom it likes; a probe dials the container.
            if let Some(target) = target.filter(|_| kind.ends_with("Probe")) {
                action = Some(ProbeAction::Port(named_port(target, ports, &place)?));
            }
        }
        probes.extend(action.map(|action| PodProbe { kind, action }));
    }
    Ok(probes)
}

fn named_port(value: &Value, ports: &[PodPort], place: &str) -> Result<u16, PodError> {
    let named = value
        .as_str()
        .and_then(|name| ports.iter().find(|port| port.name == name));
    match named {
        Some(port) => Ok(port.port.first),
        None => number(value, place),
    }
}

/// A list, which may be missing.
fn list_of<'v>(fields: &'v Map<String, Value>, name: &str, place: &str) -> Result<&'v [Value], PodError> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(&[]),
        Some(Value::Array(list)) if list.len() <= MAX_POD_ENTRIES => Ok(list),
        Some(Value::Array(_)) => Err(form(place, &format!("{name} has more than {MAX_POD_ENTRIES} entries"))),
        Some(_) => Err(form(place, &format!("{name} is no list"))),
    }
}

fn texts(fields: &Map<String, Value>, name: &str, place: &str) -> Result<Vec<String>, PodError> {
    let list = list_of(fields, name, place)?.iter();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    list.map(|value| text(value).ok_or_else(|| form(place, &format!("{name} holds what is no text"))))
        .collect()
}

/// A number, also as text, as templates write it.
fn number<T: TryFrom<u64>>(value: &Value, place: &str) -> Result<T, PodError> {
    let number = value.as_u64().or_else(|| value.as_str()?.parse().ok());
    let number = number.and_then(|number| T::try_from(number).ok());
    number.ok_or_else(|| form(place, &format!("{value} is no number that fits")))
}

fn form(place: &str, problem: &str) -> PodError {
    PodError::Form {
        place: place.to_owned(),
        problem: problem.to_owned(),
    }
}
