//! What a broker's users may do, by the page of workers.

use std::process::{Command, Stdio};

use super::Server;
use crate::support::broker::nats_server;
use crate::support::editors::in_repository;
use crate::support::greeting::GREETING;
use crate::support::ports::free_port;
use crate::support::session::Session;

/// The permissions in `server/docs/workers.md` are enough for what is used there, and for no stream of others outside them.
#[test]
fn the_permissions_of_the_page_of_workers_are_enough() {
    let Some(nats) = nats_server() else { return };
    let (session, port) = (Session::new(GREETING), free_port());
    let page = std::fs::read_to_string(in_repository("server/docs/workers.md")).unwrap();
    let start = page.find("permissions: {").expect("permissions");
    let permissions = &page[start..start + page[start..].find("```").expect("the end of the example")];
    let config = format!(
        "listen: \"127.0.0.1:{port}\"\njetstream {{ store_dir: \"{}\" }}\n\
         authorization {{ users = [ {{ user: me, password: bus-password, {permissions} }} ] }}\n",
        session.path("../jetstream").display()
    );
    session.write("../nats.conf", config);
    let mut command = Command::new(&nats);
    command.arg("-c").arg(session.path("../nats.conf"));
    let _server = Server::start(command.stdout(Stdio::null()).stderr(Stdio::null()), port);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        use async_nats::jetstream::consumer::{pull, push};
        use async_nats::jetstream::stream::Config;
        use futures::StreamExt;
        let options = async_nats::ConnectOptions::with_user_and_password("me".into(), "bus-password".into());
        let client = options.connect(format!("nats://127.0.0.1:{port}")).await.unwrap();
        let mut signals = client.subscribe("baton.signals.>").await.unwrap();
        let context = async_nats::jetstream::new(client.clone());
        for (name, subject, published) in [
            ("BATON_JOBS", "baton.jobs.>", "baton.jobs.any.a"),
            ("BATON_WORK", "baton.work.>", "baton.work.a.1"),
            ("OBJ_baton-files", "$O.baton-files.>", "$O.baton-files.C.a"),
            ("KV_baton-workers", "$KV.baton-workers.>", "$KV.baton-workers.a"),
        ] {
            let config = Config { name: name.to_owned(), subjects: vec![subject.to_owned()], ..Config::default() };
            let stream = context.create_stream(config).await.unwrap();
            context.publish(published, "x".into()).await.unwrap().await.unwrap();
            let durable = pull::Config { durable_name: Some("d".to_owned()), ..pull::Config::default() };
            let mut taken = stream.create_consumer(durable).await.unwrap().messages().await.unwrap();
            let message = taken.next().await.unwrap().unwrap();
            message.double_ack().await.unwrap();
            let ordered = push::OrderedConfig { deliver_subject: client.new_inbox(), ..Default::default() };
            let mut taken = stream.create_consumer(ordered).await.unwrap().messages().await.unwrap();
            assert_eq!(taken.next().await.unwrap().unwrap().subject.as_str(), published);
        }
        client.publish("baton.signals.a", "x".into()).await.unwrap();
        assert_eq!(signals.next().await.unwrap().subject.as_str(), "baton.signals.a");
        let config = Config { name: "OTHER".to_owned(), subjects: vec!["other.>".to_owned()], ..Config::default() };
        context.create_stream(config).await.unwrap();
        let mut slow = context.clone();
        slow.set_timeout(std::time::Duration::from_millis(500));
        let refused = slow.publish("other.a", "x".into()).await.unwrap().await;
        assert!(refused.is_err(), "what is not named may not be published");
    });
}
