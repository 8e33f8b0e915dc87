//! How near many workflows on a few workers come to what their models and slots allow, and what a conversation costs the broker.
//!
//! `cargo bench --features nats --bench scale` prints it. The models are scripted and think as long as real ones: a log-normal
//! distribution, half of the turns under 4 s and one in twenty over 15 s, all shortened by one factor so that the bound is about
//! a minute. The bound is the longer of the longest workflow's critical path and all thinking divided by the slots: no schedule
//! is shorter. What a queue comes to whose conversations cost nothing but their thinking is printed beside it: the rest is ours.
//! `BATON_SCALE_WORKFLOWS`, `BATON_SCALE_SECONDS` and `BATON_SEED` choose others.

#![allow(clippy::disallowed_methods, reason = "a bench makes the files it measures with")]
#![expect(clippy::print_stdout, reason = "a bench prints")]

#[cfg(unix)]
#[path = "../../tests/e2e/support/mod.rs"]
mod support;

fn main() {
    #[cfg(unix)]
    on_unix::measure();
    #[cfg(not(unix))]
    println!("workers are started and ended by signals: Unix only");
}

#[cfg(unix)]
mod on_unix {
    #![expect(clippy::expect_used, clippy::panic, reason = "a bench stops at the first surprise")]

    use std::collections::{BTreeMap, BTreeSet, VecDeque};
    use std::env;
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    use fastrand::Rng;
    use jiff::Timestamp;
    use serde_json::{Value, json};

    use crate::support::broker::{Acks, Broker, Coordinator, Fleet, Link, nats_server};
    use crate::support::messages_api::{MessagesApi, RecordedRequest, Reply, Script};
    use crate::support::replies::{approves, completed, context, edits, modifies, plan_of, reads, with};
    use crate::support::session::Session;

    const WORKERS: usize = 3;
    const SLOTS: usize = 4;
    /// Of a turn, in seconds.
    const MEDIAN: f64 = 4.0;
    const P95: f64 = 15.0;
    /// How many standard deviations above the mean a normal distribution has its 95th percentile.
    const P95_DEVIATIONS: f64 = 1.645;
    const ACK_WAIT: Duration = Duration::from_secs(30);
    /// Agents of a workflow, with their turns.
    const AGENTS: [(&str, usize); 7] = [
        ("context", 2),
        ("plan", 2),
        ("implement/T1", 3),
        ("implement/T2", 3),
        ("implement/T3", 3),
        ("implement/T4", 3),
        ("review", 2),
    ];

    pub(super) fn measure() {
        let Some(program) = nats_server() else {
            println!("nats-server is not installed (tests/setup.sh broker)");
            return;
        };
        let number = |name: &str| env::var(name).ok().and_then(|number| number.parse::<u64>().ok());
        let count = number("BATON_SCALE_WORKFLOWS").map_or(20, |count| usize::try_from(count).expect("not so many"));
        let seconds = number("BATON_SCALE_SECONDS").map_or(60.0, |seconds| seconds as f64);
        let seed = number("BATON_SEED").unwrap_or(20_261_128);
        println!("{count} workflows on {WORKERS} workers of {SLOTS} slots, seed {seed}");
        idle(&Lab::new(&program, Thinking::draw(1, seed).scaled(0.0)));
        let thinking = Thinking::draw(count, seed);
        let factor = seconds / thinking.bound();
        busy(&Lab::new(&program, thinking.scaled(factor)), factor);
    }

    /// One workflow whose models answer at once, on workers that have nothing else to do: from the offer of a conversation to its
    /// first request.
    fn idle(lab: &Lab) {
        let _makespan = lab.run_all();
        let (now, today) = (Instant::now(), Timestamp::now());
        let first = |agent: &str| lab.api.requests_of(agent).first().map(|request| request.at).expect("a request");
        let told = lab.coordinators()[0].told();
        let mut waited: Vec<f64> = AGENTS
            .map(|(agent, _)| {
                let (phase, task) =
                    agent.split_once('/').map_or((agent, Value::Null), |(phase, task)| (phase, json!(task)));
                let is_start = |event: &&Value| {
                    event["status"] == "started"
                        && event["phase"] == phase
                        && event.get("task").unwrap_or(&Value::Null) == &task
                };
                let offered = told.iter().find(is_start).unwrap_or_else(|| panic!("{agent} was not started"));
                let offered: Timestamp = offered["at"].as_str().expect("a time").parse().expect("a time");
                let asked = today - (now - first(agent));
                asked.duration_since(offered).as_secs_f64() * 1e3
            })
            .to_vec();
        waited.sort_by(f64::total_cmp);
        println!(
            "on idle workers, from the offer of a conversation to its first request: {:.0} ms (median of {}; {:.0} to {:.0})",
            waited[waited.len() / 2],
            waited.len(),
            waited[0],
            waited[waited.len() - 1],
        );
    }

    fn busy(lab: &Lab, factor: f64) {
        let before = Cost::of(&lab.broker);
        let makespan = lab.run_all().as_secs_f64();
        let cost = Cost::of(&lab.broker).since(&before);
        let thinking = &lab.thinking;
        println!(
            "turns of a median of {MEDIAN} s, times {factor:.3}; work {:.1} s on {} slots: {:.1} s; longest critical path {:.1} s",
            thinking.work(),
            WORKERS * SLOTS,
            thinking.work() / (WORKERS * SLOTS) as f64,
            thinking.critical_path(),
        );
        println!("makespan {makespan:.1} s, bound {:.1} s: ratio {:.2}", thinking.bound(), makespan / thinking.bound());
        let queue = thinking.queue();
        println!(
            "first come, first served, without any cost: {queue:.1} s, {:.2} of the bound; makespan to that: {:.3}",
            queue / thinking.bound(),
            makespan / queue,
        );
        let (conversations, turns) = (thinking.workflows * AGENTS.len(), lab.api.answered());
        let paid_twice: usize = lab.api.turns().iter().map(|turn| turn.paid() - 1).sum();
        println!(
            "{conversations} conversations of {turns} turns, paid twice: {paid_twice}; most at once: {}",
            lab.api.most_at_once()
        );
        let each = |sum: f64| sum / conversations as f64;
        println!(
            "the broker, a conversation: {:.0} messages in and {:.0} out, {:.0} KiB in and {:.0} KiB out, {:.0} KiB stored",
            each(cost.in_messages),
            each(cost.out_messages),
            each(cost.in_bytes) / 1024.0,
            each(cost.out_bytes) / 1024.0,
            each(cost.stored_bytes) / 1024.0,
        );
    }

    /// How long the model thinks, in seconds.
    struct Thinking {
        workflows: usize,
        /// By workflow, agent and turn.
        turns: BTreeMap<(usize, &'static str, usize), f64>,
    }

    impl Thinking {
        fn draw(workflows: usize, seed: u64) -> Self {
            let mut random = Rng::with_seed(seed);
            let deviation = (P95 / MEDIAN).ln() / P95_DEVIATIONS;
            let mut turns = BTreeMap::new();
            for workflow in 0..workflows {
                for (agent, count) in AGENTS {
                    for turn in 0..count {
                        turns.insert((workflow, agent, turn), MEDIAN * (deviation * normal(&mut random)).exp());
                    }
                }
            }
            Self { workflows, turns }
        }

        fn scaled(mut self, factor: f64) -> Self {
            for seconds in self.turns.values_mut() {
                *seconds *= factor;
            }
            self
        }

        fn of(&self, workflow: usize, agent: &str) -> f64 {
            self.turns
                .iter()
                .filter(|((of, by, _), _)| (*of, *by) == (workflow, agent))
                .map(|(_, seconds)| seconds)
                .sum()
        }

        fn work(&self) -> f64 {
            self.turns.values().sum()
        }

        /// The longest of all workflows: T4 begins when T1 is done.
        fn critical_path(&self) -> f64 {
            let path = |workflow| {
                let of = |agent| self.of(workflow, agent);
                let tasks = [of("implement/T1") + of("implement/T4"), of("implement/T2"), of("implement/T3")];
                of("context") + of("plan") + tasks.into_iter().fold(0.0, f64::max) + of("review")
            };
            (0..self.workflows).map(path).fold(0.0, f64::max)
        }

        /// How long it takes where each slot takes the conversation that has waited longest, and nothing takes time but thinking.
        fn queue(&self) -> f64 {
            let mut waiting: VecDeque<(usize, &str)> =
                (0..self.workflows).map(|workflow| (workflow, "context")).collect();
            let mut under_way: Vec<(f64, usize, &str)> = Vec::new();
            let mut done: BTreeSet<(usize, &str)> = BTreeSet::new();
            let mut now = 0.0;
            loop {
                while under_way.len() < WORKERS * SLOTS
                    && let Some((workflow, agent)) = waiting.pop_front()
                {
                    under_way.push((now + self.of(workflow, agent), workflow, agent));
                }
                under_way.sort_by(|a, b| b.0.total_cmp(&a.0));
                let Some((end, workflow, agent)) = under_way.pop() else { return now };
                now = end;
                done.insert((workflow, agent));
                let next: &[&str] = match agent {
                    "context" => &["plan"],
                    "plan" => &["implement/T1", "implement/T2", "implement/T3"],
                    "implement/T1" => &["implement/T4"],
                    _ => &[],
                };
                waiting.extend(next.iter().map(|agent| (workflow, *agent)));
                let is_done = |task: u32| done.contains(&(workflow, format!("implement/T{task}").as_str()));
                if agent.starts_with("implement/") && (1..=4).all(is_done) {
                    waiting.push_back((workflow, "review"));
                }
            }
        }

        fn bound(&self) -> f64 {
            self.critical_path().max(self.work() / (WORKERS * SLOTS) as f64)
        }
    }

    /// From two uniform numbers, by Box and Muller.
    fn normal(random: &mut Rng) -> f64 {
        let (first, second) = (1.0 - random.f64(), random.f64());
        (-2.0 * first.ln()).sqrt() * (std::f64::consts::TAU * second).cos()
    }

    struct Lab {
        // In the order in which they are dropped: clients first.
        coordinators: std::cell::RefCell<Vec<Coordinator>>,
        fleet: std::cell::RefCell<Fleet>,
        broker: Broker,
        api: MessagesApi,
        thinking: Arc<Thinking>,
    }

    impl Lab {
        fn new(program: &std::path::Path, thinking: Thinking) -> Self {
            let thinking = Arc::new(thinking);
            let broker = Broker::start(program);
            let api = MessagesApi::start(script(Arc::clone(&thinking)));
            let acks = Arc::new(Acks::default());
            let fleet = Fleet::start(&broker, &api, WORKERS, SLOTS, ACK_WAIT, &acks);
            let coordinator = |workflow: usize| {
                let link = Link::to(broker.address(), 0, Arc::clone(&acks));
                let files =
                    (1..=4).map(|task| format!("//- /{}\npub fn f() -> u32 {{\n    0\n}}\n", file(workflow, task)));
                let session = Session::new(&files.collect::<String>());
                Coordinator::new(session, link, &name(workflow), &api, ACK_WAIT)
            };
            let coordinators = (0..thinking.workflows).map(coordinator).collect::<Vec<_>>().into();
            Self { coordinators, fleet: fleet.into(), broker, api, thinking }
        }

        fn coordinators(&self) -> std::cell::Ref<'_, Vec<Coordinator>> {
            self.coordinators.borrow()
        }

        /// Start all workflows at once and wait for the last to end; then for the workers. How long the workflows took.
        fn run_all(&self) -> Duration {
            let mut coordinators = self.coordinators.borrow_mut();
            let began = Instant::now();
            coordinators.iter_mut().for_each(Coordinator::start);
            for coordinator in coordinators.iter_mut() {
                let code = coordinator.ended(Duration::from_secs(600));
                assert_eq!(code, Some(0), "{}", coordinator.log());
            }
            let took = began.elapsed();
            for worker in &mut self.fleet.borrow_mut().workers {
                let code = worker.drain(Duration::from_secs(30));
                assert_eq!(code, Some(0), "{}", worker.log());
            }
            took
        }
    }

    fn name(workflow: usize) -> String {
        format!("workflow-{workflow:03}")
    }

    fn file(workflow: usize, task: usize) -> String {
        format!("src/{}-{task}.rs", name(workflow))
    }

    /// The workflow that a request belongs to: each speaks of its files.
    fn workflow_of(request: &RecordedRequest) -> Option<usize> {
        let body = request.body.to_string();
        let (_, rest) = body.split_once("workflow-")?;
        rest.get(..3)?.parse().ok()
    }

    fn script(thinking: Arc<Thinking>) -> Script {
        let scripts: Vec<Script> = (0..thinking.workflows).map(one).collect();
        Script::new().by(move |request| {
            let workflow = workflow_of(request)?;
            let reply = scripts.get(workflow)?.reply(request)?;
            let is_it = |((of, agent, turn), _): &(&(usize, &str, usize), &f64)| {
                *of == workflow && *agent == request.agent && *turn == request.turn
            };
            let (_, seconds) = thinking.turns.iter().find(is_it)?;
            Some(reply.after(Duration::from_secs_f64(*seconds)))
        })
    }

    /// Four tasks, of which one comes after another.
    fn one(workflow: usize) -> Script {
        let own = |task: usize| modifies(&format!("T{task}"), &file(workflow, task));
        let last = with(own(4), json!({ "depends_on": ["T1"] }));
        let plan = plan_of(&[&[own(1), own(2), own(3)], &[last]]);
        let plan = with(plan, json!({ "approach_summary": name(workflow) }));
        let first = file(workflow, 1);
        let mut script = Script::new()
            .on("context", [reads(&first), context(&[&first])])
            .on("plan", [reads(&file(workflow, 2)), Reply::tool("submit_plan", plan)])
            .on("review", [Reply::tool("read_diff", json!({})), approves()]);
        for task in 1..=4 {
            let file = file(workflow, task);
            let work = [reads(&file), edits(&file, "    0\n", &format!("    {task}\n")), completed(&[&file])];
            script = script.on(&format!("implement/T{task}"), work);
        }
        script
    }

    /// What went through the broker.
    struct Cost {
        in_messages: f64,
        out_messages: f64,
        in_bytes: f64,
        out_bytes: f64,
        stored_bytes: f64,
    }

    impl Cost {
        fn of(broker: &Broker) -> Self {
            let (server, streams) = (broker.monitoring("varz"), broker.monitoring("jsz"));
            let number = |page: &Value, name: &str| page[name].as_f64().unwrap_or_else(|| panic!("no {name}: {page}"));
            Self {
                in_messages: number(&server, "in_msgs"),
                out_messages: number(&server, "out_msgs"),
                in_bytes: number(&server, "in_bytes"),
                out_bytes: number(&server, "out_bytes"),
                stored_bytes: number(&streams, "bytes"),
            }
        }

        fn since(&self, before: &Self) -> Self {
            Self {
                in_messages: self.in_messages - before.in_messages,
                out_messages: self.out_messages - before.out_messages,
                in_bytes: self.in_bytes - before.in_bytes,
                out_bytes: self.out_bytes - before.out_bytes,
                stored_bytes: self.stored_bytes - before.stored_bytes,
            }
        }
    }
}
