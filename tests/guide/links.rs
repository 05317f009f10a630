//! Links within the repository have a target. (Links to other sites are not checked.)

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use crate::book::{Page, pages, root};

#[test]
fn every_link_within_the_repository_has_a_target() {
    let pages = pages();
    let mut wrong = Vec::new();
    for page in &pages {
        for target in targets(page) {
            if target.contains("://") {
                continue;
            }
            let (path, anchor) = target.split_once('#').unwrap_or((&target, ""));
            let folder = Path::new(&page.path).parent().unwrap();
            let path = if path.is_empty() { PathBuf::from(&page.path) } else { normal(&folder.join(path)) };
            let is_there = root().join(&path).exists();
            let linked = pages.iter().find(|page| Path::new(&page.path) == path);
            let has_anchor = anchor.is_empty() || linked.is_some_and(|page| anchors(page).contains(anchor));
            if !is_there || !has_anchor {
                wrong.push(format!("{}: {target}", page.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_index_has_every_chapter() {
    let pages = pages();
    let index = pages.iter().find(|page| page.path == "docs/README.md").unwrap();
    let linked = targets(index);
    for page in pages.iter().filter(|page| page.path.starts_with("docs/") && page.path != index.path) {
        let name = page.path.trim_start_matches("docs/");
        assert!(linked.iter().any(|target| target == name), "{name} is not in the index");
    }
}

#[test]
fn an_anchor_is_derived_from_a_heading_as_on_github() {
    let page =
        Page { path: String::new(), text: "# A b\n## `GET /api/v1/x`\n## A b\n### What's *so*, _then_?\n".to_owned() };
    let expected = ["a-b", "a-b-1", "get-apiv1x", "whats-so-_then_"].map(str::to_owned);
    assert_eq!(anchors(&page), BTreeSet::from(expected));
}

/// The targets of the page's links and pictures.
fn targets(page: &Page) -> Vec<String> {
    let prose = page.prose();
    // Text between backticks contains no links.
    let prose: String = prose.split('`').step_by(2).collect::<Vec<_>>().join("code");
    prose.split("](").skip(1).map(|rest| rest.split(')').next().unwrap().to_owned()).collect()
}

fn anchors(page: &Page) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    for line in page.prose().lines().filter(|line| line.starts_with('#')) {
        let heading = line.trim_start_matches('#').trim().to_lowercase().replace('*', "");
        let kept = heading.chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
        let anchor: String = kept.map(|c| if c == ' ' { '-' } else { c }).collect();
        let numbered = (1..).map(|number| format!("{anchor}-{number}"));
        let anchor = std::iter::once(anchor.clone()).chain(numbered).find(|anchor| !anchors.contains(anchor));
        anchors.extend(anchor);
    }
    anchors
}

/// Removes `..` from the path.
fn normal(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut path, component| {
        match component {
            Component::ParentDir => _ = path.pop(),
            component => path.push(component),
        }
        path
    })
}
