//! A small disk of its own (tmpfs) under a folder, which can be filled to the last byte or made read-only.

use std::{
    fs::File,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::Result;

use crate::scenarios::Skip;

pub struct Disk {
    folder: PathBuf,
}

impl Disk {
    /// Lays a disk of so many bytes over a folder. Where that is not allowed, the scenario is skipped.
    pub fn mount(folder: &Path, bytes: usize) -> Result<Self> {
        let options = format!("size={bytes},mode=0755");
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(folder).stderr(Stdio::null());
        if command.status().is_ok_and(|status| status.success()) {
            return Ok(Self { folder: folder.to_owned() });
        }
        Err(Skip("a disk of its own can't be mounted here; root may".to_owned()).into())
    }

    fn filler(&self) -> PathBuf {
        self.folder.join("filler")
    }

    /// Takes all room that is left; how many bytes that was.
    pub fn fill(&self) -> Result<usize> {
        let mut file = File::create(self.filler())?;
        let block = [0; 4096];
        let mut written = 0;
        while file.write_all(&block).is_ok() {
            written += block.len();
        }
        Ok(written)
    }

    /// Nothing can be written any more, or everything again.
    pub fn set_read_only(&self, is_read_only: bool) -> Result<()> {
        let mode = if is_read_only { "remount,ro" } else { "remount,rw" };
        let status = Command::new("mount").args(["-o", mode]).arg(&self.folder).status()?;
        anyhow::ensure!(status.success(), "the disk could not be mounted anew");
        Ok(())
    }

    /// There is room again.
    pub fn heal(&self) -> Result<()> {
        self.set_read_only(false)?;
        match std::fs::remove_file(self.filler()) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Whoever still has a file open keeps it until then.
        let _ = Command::new("umount").arg("--lazy").arg(&self.folder).status();
    }
}
