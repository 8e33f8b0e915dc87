//! Level `view`: the kind of room that fits this user and this workspace (`kind`), which one that is (`find`), what one is made of
//! for a job (`prepare`), and the jobs in it (`run`).

mod find;
mod kind;
mod prepare;
mod run;

pub(super) use kind::View;
