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

    /// One event of a task.
    fn push(&mut self, task: &RawTask, kind: RawKind) {
        let event = RawEvent {
            time_ns: 5,
            cpu: 0,
            task: task.clone(),
            kind,
        };
        self.pipeline.push(event, &mut self.out);
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
    let nobody = RawTask::nobody();
    live.push(&nobody, made(77, "/system.slice/cron.service"));
    assert!(matches!(live.pipeline.places[&77], Place::Host));
    live.push(&nobody, made(78, &format!("/libpod_parent/libpod-{}", "a".repeat(64))));
    assert!(matches!(live.pipeline.places[&78], Place::Waiting(_)));
}

fn made(cgroup_id: u64, path: &str) -> RawKind {
    let path = path.to_owned();
    RawKind::CgroupMade { cgroup_id, path }
}

fn entered(cgroup_id: u64, path: &str) -> RawKind {
    let path = path.to_owned();
    RawKind::CgroupEntered { cgroup_id, path }
}

/// A host on which runc was told to run `web`; its task, and one that says the same in a container.
fn told_to_run() -> (Live, RawTask, RawTask) {
    let mut scene = Scene::new();
    let container = scene.name("redis", CGROUP, Some(digest(1)));
    let room = serving(&mut scene);
    let runc = scene.fork(1);
    scene.exec(runc, "/usr/sbin/runc", &["runc", "run", "--bundle", "/srv/web", "web"]);
    let liar = scene.fork(room.first);
    scene.exec(liar, "/tmp/runc", &["runc", "run", "--bundle", "/srv/web", "web"]);
    let mut live = Live::new();
    live.feed(&scene.items);
    live.pipeline.answer(1, Answer::Host, &mut live.out);
    live.pipeline
        .answer(CGROUP, answer(&container, &redis_images()), &mut live.out);
    live.questions.try_iter().for_each(drop);
    (live, scene.task(runc).clone(), scene.task(liar).clone())
}

#[test]
fn who_comes_into_a_new_cgroup_is_asked_about_before_anything_happens_there() {
    let (mut live, runc, _) = told_to_run();
    live.push(&runc, made(77, "/web"));
    assert_eq!(live.questions.try_iter().count(), 0, "there is nobody to look at");
    let first = RawTask { pid: 4_711, ..runc };
    live.push(&first, entered(77, "/web"));
    let asked: Vec<Question> = live.questions.try_iter().collect();
    let [question] = asked.as_slice() else {
        panic!("{asked:?}")
    };
    assert_eq!((question.pid, question.path.as_deref()), (4_711, Some("/web")));
    let order = question
        .order
        .as_ref()
        .map(|order| (order.container_id.as_str(), order.bundle.as_str()));
    assert_eq!(order, Some(("web", "/srv/web")));
}

#[test]
fn a_containers_process_gives_no_orders() {
    let (mut live, runc, liar) = told_to_run();
    let first = RawTask { pid: 4_711, ..runc };
    live.push(&liar, made(77, "/web"));
    live.push(&first, entered(77, "/web"));
    let orders: Vec<_> = live.questions.try_iter().map(|question| question.order).collect();
    assert_eq!(orders, [None]);
}

#[test]
fn a_cgroup_that_stood_empty_is_waited_for_from_its_first_event_on() {
    let mut scene = Scene::new();
    let (mut live, path) = (Live::new(), format!("/docker/{}", "b".repeat(64)));
    live.feed(&scene.items);
    live.pipeline.answer(1, Answer::Host, &mut live.out);
    live.push(&RawTask::nobody(), made(CGROUP, &path));
    let before = scene.items.len();
    scene.now_ns += 10 * MAX_WAIT_NS;
    serving(&mut scene);
    live.feed(&scene.items[before..]);
    live.pipeline.tick(scene.now_ns + BOOT_OFFSET_NS, &mut live.out);
    assert_eq!(live.pipeline.counts().unknown_containers, 0);
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
