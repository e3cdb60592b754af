//! Events whose container is not known yet, and images that were not scanned.

use super::*;
use crate::identity::Question;

/// A pipeline that asks; nobody answers but the test.
struct Live {
    pipeline: Pipeline,
    questions: std::sync::mpsc::Receiver<Question>,
    out: Vec<Output>,
}

impl Live {
    fn new() -> Self {
        let (asker, questions) = Asker::for_test();
        Self {
            pipeline: pipeline(Some(asker)),
            questions,
            out: Vec::new(),
        }
    }

    /// Everything but what engines say.
    fn feed(&mut self, items: &[Item]) {
        for item in items {
            match item {
                Item::Process(process) => self.pipeline.seed(process.clone(), &mut self.out),
                Item::Event(event) => self.pipeline.push(event.clone(), &mut self.out),
                Item::Start { .. } | Item::Container(_) | Item::Details { .. } => {}
            }
        }
    }
}

#[test]
fn events_wait_for_their_containers_identity_and_lose_nothing() {
    let mut scene = Scene::new();
    let container = scene.name("redis", CGROUP, Some(digest(1)));
    let room = serving(&mut scene);
    scene.enter(room, DASH, &["sh"]);
    let mut live = Live::new();
    live.feed(&scene.items);
    assert_eq!(alerts(&live.out), []);
    let asked: Vec<u64> = live.questions.try_iter().map(|question| question.cgroup_id).collect();
    assert_eq!(asked, [1, CGROUP], "each cgroup is asked about once");
    let images = redis_images();
    live.pipeline.answer(1, Answer::Host, &mut live.out);
    live.pipeline.answer(CGROUP, answer(&container, &images), &mut live.out);
    live.pipeline.finish(&mut live.out);
    let (told, _) = play(&scene);
    assert_eq!(alerts(&live.out), told, "waiting changes nothing");
    assert_eq!(titles(&told), [("session", "exec /usr/bin/dash")]);
}

#[test]
fn who_is_not_named_in_time_is_an_unknown_container() {
    let mut scene = Scene::new();
    serving(&mut scene);
    let mut live = Live::new();
    live.feed(&scene.items);
    let late_ns = scene.now_ns + BOOT_OFFSET_NS + MAX_WAIT_NS + 10 * MILLISECOND;
    live.pipeline.answer(1, Answer::Host, &mut live.out);
    live.pipeline.tick(late_ns, &mut live.out);
    assert_eq!(live.pipeline.waiting, 0);
    assert_eq!(live.pipeline.counts().unknown_containers, 1);
    let named = live.out.iter().find_map(|output| match output {
        Output::Identified(container) => Some(container.id.clone()),
        _ => None,
    });
    assert_eq!(named.as_deref(), Some("cgroup-50"));
}

#[test]
fn who_was_there_before_the_agent_is_waited_for_from_the_first_tick_on() {
    let mut scene = Scene::new();
    serving(&mut scene);
    let mut live = Live::new();
    let path = "/libpod_parent/libpod-0000000000000000000000000000000000000000000000000000000000000001";
    live.pipeline.know(CGROUP, path.to_owned(), &mut live.out);
    live.feed(&scene.items);
    live.pipeline.answer(1, Answer::Host, &mut live.out);
    let now_ns = scene.now_ns + BOOT_OFFSET_NS + 1_000 * MAX_WAIT_NS;
    live.pipeline.tick(now_ns, &mut live.out);
    live.pipeline
        .tick(now_ns + MAX_WAIT_NS - 10 * MILLISECOND, &mut live.out);
    assert_eq!(live.pipeline.counts().unknown_containers, 0, "it has run for an hour");
    live.pipeline
        .tick(now_ns + MAX_WAIT_NS + 10 * MILLISECOND, &mut live.out);
    assert_eq!(live.pipeline.counts().unknown_containers, 1);
}

/// Redis that serves, and whose name nobody has said yet; of the host's cgroup it is known.
fn serving_unnamed() -> (Scene, Container, Room, Live) {
    let mut scene = Scene::new();
    let container = scene.name("redis", CGROUP, Some(digest(1)));
    let room = serving(&mut scene);
    let mut live = Live::new();
    live.feed(&scene.items);
    live.pipeline.answer(1, Answer::Host, &mut live.out);
    (scene, container, room, live)
}

#[test]
fn who_is_named_late_is_judged_from_then_on() {
    let (mut scene, container, room, mut live) = serving_unnamed();
    let late_ns = scene.now_ns + BOOT_OFFSET_NS + MAX_WAIT_NS + 10 * MILLISECOND;
    live.pipeline.tick(late_ns, &mut live.out);
    assert_eq!(live.pipeline.counts().unknown_containers, 1);
    live.pipeline
        .answer(CGROUP, answer(&container, &redis_images()), &mut live.out);
    let before = scene.items.len();
    let shell = scene.fork(room.first);
    scene.exec(shell, DASH, &["sh", "-c", "id"]);
    live.feed(&scene.items[before..]);
    live.pipeline.finish(&mut live.out);
    let told = alerts(&live.out);
    assert_eq!(titles(&told), [("unexpected-exec", "exec /usr/bin/dash -c id")]);
}

#[test]
fn a_container_that_was_gone_before_anybody_looked_is_not_the_hosts() {
    let mut scene = Scene::new();
    serving(&mut scene);
    let mut live = Live::new();
    live.feed(&scene.items);
    let gone = |cgroup_id, path: &str, id: &str| Answer::Gone {
        container: Box::new(crate::identity::unknown_container(cgroup_id, path, id)),
    };
    live.pipeline
        .answer(1, gone(1, "/user.slice/build", "build"), &mut live.out);
    live.pipeline
        .answer(CGROUP, gone(CGROUP, "/short", "short"), &mut live.out);
    live.pipeline.finish(&mut live.out);
    let names = live.out.iter().filter_map(|output| match output {
        Output::Identified(container) => Some(container.id.as_str()),
        _ => None,
    });
    assert_eq!(
        names.collect::<Vec<_>>(),
        ["short"],
        "the host's processes are in no namespaces of their own"
    );
    assert_eq!(live.pipeline.counts().unknown_containers, 1);
}

#[test]
fn the_queue_of_waiting_events_is_bounded() {
    let mut scene = Scene::new();
    let room = serving(&mut scene);
    let mut live = Live::new();
    live.feed(&scene.items);
    let before = scene.items.len();
    for _ in 0..MAX_WAITING_PER_CGROUP {
        scene.write(room.first, "/data/x");
    }
    live.feed(&scene.items[before..]);
    assert!(live.pipeline.waiting <= MAX_WAITING_PER_CGROUP);
    assert_eq!(live.pipeline.counts().unknown_containers, 1);
}

#[test]
fn a_cgroup_whose_path_no_engine_makes_is_the_hosts_without_a_question() {
    let mut live = Live::new();
    let scene = Scene::new();
    live.feed(&scene.items);
    let made = |path: &str, cgroup_id| RawEvent {
        time_ns: 5,
        cpu: 0,
        task: RawTask::nobody(),
        kind: RawKind::CgroupMade {
            cgroup_id,
            path: path.to_owned(),
        },
    };
    live.pipeline
        .push(made("/system.slice/cron.service", 77), &mut live.out);
    assert!(matches!(live.pipeline.places[&77], Place::Host));
    live.pipeline.push(
        made(&format!("/libpod_parent/libpod-{}", "a".repeat(64)), 78),
        &mut live.out,
    );
    assert!(matches!(live.pipeline.places[&78], Place::Waiting(_)));
}

#[test]
fn an_image_without_a_scan_report_is_noticed_once() {
    let mut scene = Scene::new();
    let container = scene.name("redis", CGROUP, Some(digest(5)));
    let mut pipeline = pipeline(None);
    let mut out = Vec::new();
    for _ in 0..2 {
        pipeline.answer(CGROUP, answer(&container, &redis_images()), &mut out);
    }
    let notices: Vec<&str> = out
        .iter()
        .filter_map(|output| match output {
            Output::Notice(text) => Some(text.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(notices.len(), 1);
    assert!(
        notices[0].contains("plimsoll scan registry.example/redis:1 -o json=/images/"),
        "{notices:?}"
    );
}

#[test]
fn an_image_can_be_found_by_its_layers() {
    let images = redis_images();
    let wanted = plimsoll_model::ContainerImage {
        reference: String::new(),
        manifest_digest: Some(digest(66)),
        config_digest: Some(digest(67)),
    };
    assert!(images.find(&wanted, &[]).is_none());
    let found: Option<Arc<KnownImage>> = images.find(&wanted, &[digest(200)]);
    assert_eq!(found.unwrap().report.image.config_digest, digest(1));
}

#[test]
fn a_name_that_comes_late_counts_from_then_on() {
    let (mut scene, container, room, mut live) = serving_unnamed();
    live.pipeline.tick(u64::MAX / 2, &mut live.out);
    live.pipeline
        .answer(CGROUP, answer(&container, &redis_images()), &mut live.out);
    let from = scene.items.len();
    scene.enter(room, DASH, &["sh"]);
    live.feed(&scene.items[from..]);
    assert_eq!(
        titles(&alerts(&live.out)),
        [("session", "exec /usr/bin/dash")],
        "its processes kept their places"
    );
    assert_eq!(live.pipeline.sandboxes.len(), 1);
}
