//! A file that the user named for a report, anywhere. That it can be written is known before a run begins.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::super::failure::Failure;
use super::super::output::print_bytes;

/// What stands for standard output.
const STANDARD_OUTPUT: &str = "-";

/// Where a report goes.
#[derive(Debug)]
pub(super) struct OutFile {
    /// As the user named it.
    name: PathBuf,
    target: Target,
}

#[derive(Debug)]
enum Target {
    /// Standard output, by the name `-` or by one such as `/dev/stdout`.
    StandardOutput,
    /// A file that is replaced as a whole.
    Whole(PathBuf),
    /// A file in a folder that takes no other files: it is written in its place.
    InPlace(PathBuf),
    /// A pipe or a device, or a file that is added to: opened from the beginning.
    Open(File),
    /// A file that is added to and is not there yet.
    New(PathBuf),
}

impl OutFile {
    /// A file whose content the report replaces, atomically where the system allows it.
    ///
    /// # Errors
    /// Wrong usage: why it cannot be written.
    pub(super) fn to_replace(name: &Path) -> Result<Self, Failure> {
        let target = target(name).map_err(|error| cannot_write(name, &error))?;
        Ok(Self { name: name.to_owned(), target })
    }

    /// A file to whose end the report is added.
    ///
    /// # Errors
    /// Wrong usage: why it cannot be written.
    pub(super) fn to_append(name: &Path) -> Result<Self, Failure> {
        let target = target(name).and_then(|target| match target {
            // A file that is not there yet is made when there is something to tell: until then it would be one more file
            // of the workspace.
            Target::Whole(path) | Target::InPlace(path) if !path.is_file() => Ok(Target::New(path)),
            Target::Whole(path) | Target::InPlace(path) => to_its_end(&path).map(Target::Open),
            other => Ok(other),
        });
        let target = target.map_err(|error| cannot_write(name, &error))?;
        Ok(Self { name: name.to_owned(), target })
    }

    /// Whether it is standard output, so that nothing else may be printed there.
    pub(super) fn is_standard_output(&self) -> bool {
        matches!(self.target, Target::StandardOutput)
    }

    /// Write the report.
    ///
    /// # Errors
    /// When the system fails; a file that is replaced is then as it was.
    pub(super) fn write(&mut self, text: &str) -> Result<(), Failure> {
        let written = match &mut self.target {
            Target::StandardOutput => return print_bytes(text.as_bytes()),
            Target::Whole(path) => replace(path, text.as_bytes()),
            Target::InPlace(path) => fs::write(path, text),
            Target::Open(file) => file.write_all(text.as_bytes()),
            Target::New(path) => OpenOptions::new()
                .append(true)
                .create(true)
                .open(path)
                .and_then(|mut file| file.write_all(text.as_bytes())),
        };
        written.map_err(|error| Failure::failed(cannot_write(&self.name, &error).message))
    }
}

fn cannot_write(name: &Path, error: &io::Error) -> Failure {
    // The name of a file beside it says nothing to a person.
    let inner = error.get_ref().and_then(|inner| inner.source());
    let why = inner.map_or_else(|| error.to_string(), ToString::to_string);
    Failure::usage(format!("{} cannot be written: {why}", name.display()))
}

fn target(name: &Path) -> io::Result<Target> {
    if is_standard_output(name) {
        return Ok(Target::StandardOutput);
    }
    if name.file_name().is_none() || name.as_os_str().as_encoded_bytes().ends_with(b"/") {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "this names no file"));
    }
    match fs::metadata(name) {
        Ok(metadata) if metadata.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
        Ok(metadata) if !metadata.is_file() || name.starts_with("/dev") || name.starts_with("/proc") => {
            return to_its_end(name).map(Target::Open);
        }
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            drop(beside(name)?);
            // A link that leads to nothing stays a link.
            return Ok(if name.is_symlink() {
                Target::InPlace(name.to_owned())
            } else {
                Target::Whole(name.to_owned())
            });
        }
        Err(error) => return Err(error),
    }
    drop(to_its_end(name)?);
    // A link keeps its place: what it leads to is replaced.
    let path = fs::canonicalize(name)?;
    Ok(if beside(&path).is_ok() { Target::Whole(path) } else { Target::InPlace(path) })
}

fn to_its_end(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).open(path)
}

/// A file in the folder of another one, which is removed when it is dropped. Its permissions are those of any new file.
fn beside(path: &Path) -> io::Result<tempfile::NamedTempFile> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    builder.prefix(".baton-report-");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder)
}

fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = beside(path)?;
    file.write_all(bytes)?;
    if let Ok(metadata) = fs::metadata(path) {
        file.as_file().set_permissions(metadata.permissions())?;
    }
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

/// Whether a name leads to where standard output goes, so that it must be written through that: a file has one position
/// for each time that it was opened.
#[cfg(unix)]
fn is_standard_output(name: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    if name.as_os_str() == STANDARD_OUTPUT {
        return true;
    }
    let Ok(output) = rustix::fs::fstat(io::stdout()) else { return false };
    let is_device = rustix::fs::FileType::from_raw_mode(output.st_mode) == rustix::fs::FileType::CharacterDevice;
    // /dev/null is not the output of this process, though its output may go there.
    let is_named =
        !is_device || name.starts_with("/dev/stdout") || name.starts_with("/proc") || name.starts_with("/dev/fd");
    is_named && fs::metadata(name).is_ok_and(|named| (named.dev(), named.ino()) == (output.st_dev, output.st_ino))
}

#[cfg(not(unix))]
fn is_standard_output(name: &Path) -> bool {
    name.as_os_str() == STANDARD_OUTPUT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_as_a_whole_and_nothing_is_left_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.sarif");
        for text in ["one", "two"] {
            let mut file = OutFile::to_replace(&path).unwrap();
            file.write(text).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        drop(OutFile::to_replace(&folder.path().join("b")).unwrap());
        assert_eq!(
            fs::read_dir(folder.path()).unwrap().count(),
            1,
            "nothing is made before there is something to tell"
        );
    }

    #[cfg(unix)]
    #[test]
    fn permissions_and_links_stay() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("a"), folder.path().join("link"));
        fs::write(&path, "before").unwrap();
        fs::set_permissions(&path, PermissionsExt::from_mode(0o640)).unwrap();
        symlink("a", &link).unwrap();
        OutFile::to_replace(&link).unwrap().write("after").unwrap();
        assert!(link.is_symlink());
        assert_eq!(fs::read_to_string(&path).unwrap(), "after");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
    }

    #[test]
    fn a_file_that_is_added_to_keeps_what_it_has() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("summary.md");
        for _ in 0..2 {
            OutFile::to_append(&path).unwrap().write("a\n").unwrap();
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), "a\na\n");
    }

    #[test]
    fn what_cannot_be_written_is_wrong_usage_that_names_it() {
        let folder = tempfile::tempdir().unwrap();
        for name in [folder.path().to_owned(), folder.path().join("no/such/folder/a"), "".into()] {
            for opened in [OutFile::to_replace(&name), OutFile::to_append(&name)] {
                let failure = opened.unwrap_err();
                assert_eq!(failure.code, super::super::super::failure::USAGE);
                assert!(failure.message.contains(&format!("{} cannot be written: ", name.display())), "{failure:?}");
            }
        }
    }
}
