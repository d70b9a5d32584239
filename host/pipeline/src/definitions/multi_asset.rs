//! Makes an asset of each that a multi-asset computes.

use std::collections::HashMap;

use super::fields::{Fields, Problems};
use super::tree::{Entry, Node, Tree};
use super::{Diagnostic, input, keys};

/// By the name of an asset, the multi-asset that computes it.
pub(super) type Members = HashMap<String, String>;

/// Adds the assets of `multi_assets` to `assets`, each with what they share.
pub(super) fn expand(multi_assets: &[Entry], assets: &mut Vec<Entry>, problems: &Problems) -> Members {
    let mut members = Members::new();
    let mut places: HashMap<String, _> =
        assets.iter().map(|asset| (asset.key.clone(), asset.position.clone())).collect();
    for multi in multi_assets {
        if !input::is_name(&multi.key) {
            let message = format!("the name of the multi-asset {:?} {}", multi.key, input::NAME_RULE);
            problems.at(&multi.position, message);
        }
        if let Some(asset) = places.get(&multi.key) {
            let message = format!("`{}` is the name of an asset, and steps are called by it", multi.key);
            let help = format!("the asset is defined at {asset}");
            problems.push(Diagnostic::at(&multi.position, message).help(help));
        }
        let what = format!("the multi-asset `{}`", multi.key);
        let fields = Fields::new(&multi.node, &multi.position, &what, keys::MULTI_ASSET, problems);
        let named = fields.named("assets");
        if named.is_empty() {
            fields.missing("assets", "say what it computes: `assets.\"KEY\" = { type = \"…\" }`");
        }
        for member in named {
            if let Some(first) = places.insert(member.key.clone(), member.position.clone()) {
                let message = format!("the asset `{}` is defined twice", member.key);
                problems
                    .push(Diagnostic::at(&member.position, message).help(format!("it is defined first at {first}")));
                continue;
            }
            let what = format!("the asset `{}`", member.key);
            Fields::new(&member.node, &member.position, &what, keys::MEMBER, problems);
            let Some(own) = member.node.entries() else { continue };
            let shared = multi.node.entries().unwrap_or_default().iter().filter(|entry| entry.key != "assets");
            // The op calls it by the last part of its key, where nothing else is said.
            let name = member.key.rsplit('/').next().unwrap_or_default().to_owned();
            let position = member.position.clone();
            let name = Node { tree: Tree::Text(name), position: position.clone() };
            let mut all = vec![Entry { key: "output".to_owned(), position, node: name }];
            all.extend(shared.cloned());
            for entry in own {
                match all.iter_mut().find(|other| other.key == entry.key) {
                    Some(shared) => *shared = entry.clone(),
                    None => all.push(entry.clone()),
                }
            }
            let node = Node { tree: Tree::Table(all), position: member.node.position.clone() };
            members.insert(member.key.clone(), multi.key.clone());
            assets.push(Entry { key: member.key.clone(), position: member.position.clone(), node });
        }
    }
    members
}

/// That a profile says of one of `members` what they share with others is a problem.
pub(super) fn check_profile(members: &Members, changes: &[Entry], problems: &Problems) {
    for change in changes {
        let Some(multi) = members.get(&change.key) else { continue };
        for entry in change.node.entries().unwrap_or_default() {
            if keys::WHOLE_MEMBER.contains(&&*entry.key) && !keys::MEMBER.contains(&&*entry.key) {
                let message =
                    format!("`{}` is of all assets that `{multi}` computes, and a profile changes one", entry.key);
                problems.at(&entry.position, message);
            }
        }
    }
}
