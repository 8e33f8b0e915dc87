use super::delete_file::DeleteFile;
use super::edit_file::EditFile;
use super::list_files::ListFiles;
use super::log::Log;
use super::move_file::MoveFile;
use super::outline::Outline;
use super::read_diff::ReadDiff;
use super::read_file::ReadFile;
use super::search::Search;
use super::tool::Row;
use super::try_check::TryCheck;
use super::write_file::WriteFile;

/// The tools, in the order in which they are sent to a model.
pub(super) const TOOLS: &[Row] = &[
    Row::of::<ListFiles>(),
    Row::of::<Search>(),
    Row::of::<ReadFile>(),
    Row::of::<Outline>(),
    Row::of::<Log>(),
    Row::of::<EditFile>(),
    Row::of::<WriteFile>(),
    Row::of::<DeleteFile>(),
    Row::of::<MoveFile>(),
    Row::of::<ReadDiff>(),
    Row::of::<TryCheck>(),
];
