//! Reads the guide's Markdown files.

use std::fs;
use std::path::{Path, PathBuf};

/// A file of the guide.
pub(crate) struct Page {
    /// The path relative to the root of the repository.
    pub(crate) path: String,
    pub(crate) text: String,
}

/// A fenced block.
pub(crate) struct Block {
    pub(crate) language: String,
    pub(crate) text: String,
}

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub(crate) fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A chapter of the guide.
pub(crate) fn chapter(name: &str) -> Page {
    let path = format!("docs/{name}.md");
    Page { text: read(&path), path }
}

/// All chapters, and the other documents of the repository.
pub(crate) fn pages() -> Vec<Page> {
    let mut paths: Vec<String> =
        ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"].map(str::to_owned).to_vec();
    for entry in fs::read_dir(root().join("docs")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if Path::new(&name).extension().is_some_and(|extension| extension == "md") {
            paths.push(format!("docs/{name}"));
        }
    }
    paths.into_iter().map(|path| Page { text: read(&path), path }).collect()
}

impl Page {
    pub(crate) fn blocks(&self) -> Vec<Block> {
        let mut blocks = Vec::new();
        let mut lines = self.text.lines();
        while let Some(line) = lines.next() {
            let Some(language) = line.trim_start().strip_prefix("```") else { continue };
            let text: Vec<_> = lines.by_ref().take_while(|line| line.trim_start() != "```").collect();
            blocks.push(Block { language: language.to_owned(), text: text.join("\n") + "\n" });
        }
        blocks
    }

    pub(crate) fn blocks_of(&self, language: &str) -> Vec<String> {
        self.blocks().into_iter().filter(|block| block.language == language).map(|block| block.text).collect()
    }

    /// The text without the fenced blocks.
    pub(crate) fn prose(&self) -> String {
        let mut inside = false;
        let is_prose = |line: &&str| {
            let fence = line.trim_start().starts_with("```");
            inside ^= fence;
            !inside && !fence
        };
        self.text.lines().filter(is_prose).collect::<Vec<_>>().join("\n")
    }

    /// The rows of the tables, as cells, without the table heads.
    pub(crate) fn rows(&self) -> Vec<Vec<String>> {
        let prose = self.prose();
        let lines: Vec<_> = prose.lines().collect();
        let mut rows = Vec::new();
        for (index, line) in lines.iter().enumerate() {
            let is_ruler = |line: &str| line.starts_with("|---");
            let is_head = lines.get(index + 1).is_some_and(|next| is_ruler(next));
            if line.starts_with('|') && !is_ruler(line) && !is_head {
                let cells = line.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned());
                rows.push(cells.collect());
            }
        }
        rows
    }
}

/// The texts between backticks.
pub(crate) fn code(text: &str) -> Vec<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The sources in a folder, without unit tests.
pub(crate) fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let text = text.split("#[cfg(test)]").next().unwrap().to_owned();
                found.push((path, text));
            }
        }
    }
    found
}
