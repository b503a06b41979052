//! Many at once on one tree: whatever they do, paths, levels and counts are what a recomputation gives.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::join_all;
use serde_json::{Value as Json, json};

use super::{id, node};
use crate::harness::{Backend, Chance, Client, Reply, World, resource};

matrix![
    a_random_tree_stays_what_a_recomputation_gives,
    nodes_in_opposite_orders_do_not_deadlock,
];

const CLIENTS: usize = 16;
const NODES: usize = 60;
const RESOURCES: usize = 30;
/// With fewer nodes than this another one is planted.
const FEWEST: usize = 20;
const ANOTHER: usize = 100;
/// Who changes the same two trees from opposite ends.
const OPPONENTS: usize = 32;

/// Changes in all: `PHAROS_TAXONOMY_CHANGES`, 600 when absent.
fn changes() -> usize {
    std::env::var("PHAROS_TAXONOMY_CHANGES").map_or(600, |text| {
        text.parse().expect("a number in PHAROS_TAXONOMY_CHANGES")
    })
}

/// How often each kind of change was answered with each status.
type Tally = BTreeMap<(&'static str, u16), usize>;

/// One client: it knows some nodes, which others may have moved, merged or deleted meanwhile.
struct Gardener {
    client: Client,
    chance: Chance,
    /// What was listed before the change.
    known: Vec<String>,
    resources: Arc<Vec<String>>,
    tally: Tally,
}

impl Gardener {
    /// A node that is there now, or was a moment ago.
    fn any_node(&mut self) -> String {
        self.chance.pick(&self.known).clone()
    }

    async fn change(&mut self, number: usize) {
        let page = self.client.get("taxonomy?limit=200").await.is(200).json();
        let nodes = page["items"].as_array().unwrap();
        self.known = nodes.iter().map(|node| id(node).to_owned()).collect();
        // Merges outrun what is created, now and then.
        let kind = if self.known.len() < FEWEST {
            ANOTHER
        } else {
            self.chance.below(100)
        };
        let (kind, reply) = match kind {
            0..35 => ("move", self.relocate().await),
            35..60 => ("merge", self.merge().await),
            60..76 | ANOTHER => ("create", self.create(number).await),
            76..80 => ("rename", self.rename().await),
            80..92 => ("assign", self.assign().await),
            92..96 => ("unassign", self.unassign().await),
            96..97 => ("delete", self.delete().await),
            97..98 => ("review", self.review().await),
            _ => ("replace a resource", self.replace_resource().await),
        };
        // What is gone meanwhile, and what the rules of a tree forbid, is told; nothing else goes wrong.
        assert!(
            match kind {
                // What is gone meanwhile is told as such, and no foreign key fails.
                "assign" if reply.status == 409 => {
                    let told = reply.text();
                    told.contains("it is not predicted again")
                        || told.contains("no taxonomy node has the id")
                }
                _ => matches!(reply.status, 200 | 201 | 204 | 404 | 409),
            },
            "{kind}: {} {}",
            reply.status,
            reply.text()
        );
        *self.tally.entry((kind, reply.status)).or_default() += 1;
    }

    async fn relocate(&mut self) -> Reply {
        let path = format!("taxonomy/{}/move", self.any_node());
        let parent = match self.chance.percent(20) {
            true => Json::Null,
            false => self.any_node().into(),
        };
        self.client.post(&path, &json!({"parent_id": parent})).await
    }

    async fn merge(&mut self) -> Reply {
        let path = format!("taxonomy/{}/merge", self.any_node());
        let into = json!({"into_id": self.any_node()});
        self.client.post(&path, &into).await
    }

    async fn create(&mut self, number: usize) -> Reply {
        let parent = if self.known.len() < FEWEST {
            Json::Null
        } else {
            self.any_node().into()
        };
        // Few different slugs, so that they clash.
        let slug = match self.chance.percent(50) {
            true => format!("s{}", self.chance.below(5)),
            false => format!("n{number}"),
        };
        let body = json!({"label": slug, "parent_id": parent});
        self.client.post("taxonomy", &body).await
    }

    async fn rename(&mut self) -> Reply {
        let path = format!("taxonomy/{}", self.any_node());
        let slug = format!("s{}", self.chance.below(20));
        self.client.patch(&path, "*", &json!({"slug": slug})).await
    }

    async fn assign(&mut self) -> Reply {
        let resource = self.chance.pick(&self.resources).clone();
        let mut body = json!({"node_id": self.any_node()});
        if self.chance.percent(20) {
            body["confidence"] = json!(0.5);
        }
        let path = format!("resources/{resource}/taxonomy");
        self.client.post(&path, &body).await
    }

    async fn unassign(&mut self) -> Reply {
        let resource = self.chance.pick(&self.resources).clone();
        let list = format!("resources/{resource}/taxonomy");
        let held = self.client.get(&list).await;
        if held.status != 200 {
            return held;
        }
        match held.json()["items"].as_array().unwrap().first() {
            None => held,
            Some(first) => {
                let path = format!("{list}/{}", first["node_id"].as_str().unwrap());
                self.client.request("DELETE", &path).send().await
            }
        }
    }

    async fn review(&mut self) -> Reply {
        let queue = self.client.get("taxonomy/review?limit=5").await.is(200);
        let items = queue.json()["items"].as_array().unwrap().clone();
        if items.is_empty() {
            return queue;
        }
        let what = *self.chance.pick(&["accept", "reject"]);
        let path = format!(
            "taxonomy/review/{}/{what}",
            id(&items[self.chance.below(items.len())])
        );
        self.client.request("POST", &path).send().await
    }

    async fn delete(&mut self) -> Reply {
        let path = format!("taxonomy/{}?recursive=false", self.any_node());
        self.client.delete(&path, "*").await
    }

    /// A resource with assignments goes: its counts go with it.
    async fn replace_resource(&mut self) -> Reply {
        let created = self
            .client
            .post("resources", &json!({"title": "Passing"}))
            .await
            .is(201)
            .json();
        let path = format!("resources/{}", id(&created));
        for _ in 0..2 {
            let body = json!({"node_id": self.any_node()});
            self.client.post(&format!("{path}/taxonomy"), &body).await;
        }
        self.client.delete(&path, "*").await
    }
}

async fn a_random_tree_stays_what_a_recomputation_gives(world: World) {
    let mut chance = Chance::new(20_261_120);
    let mut nodes: Vec<Json> = Vec::new();
    for number in 0..NODES {
        let mut fields = json!({"label": format!("n{number}")});
        if number > 4 {
            fields["parent_id"] = nodes[chance.below(nodes.len())]["id"].clone();
        }
        nodes.push(node(&world, fields).await);
    }
    let mut resources = Vec::new();
    for number in 0..RESOURCES {
        let created = resource(&world, json!({"title": format!("R{number}")})).await;
        resources.push(id(&created).to_owned());
    }
    let resources = Arc::new(resources);
    let (all, done) = (changes(), Arc::new(AtomicUsize::new(0)));
    let clients = (0..CLIENTS).map(|number| {
        let mut gardener = Gardener {
            client: world.editor.clone(),
            chance: Chance::new(number as u64),
            known: Vec::new(),
            resources: Arc::clone(&resources),
            tally: Tally::new(),
        };
        let done = Arc::clone(&done);
        tokio::spawn(async move {
            loop {
                let change = done.fetch_add(1, Ordering::Relaxed);
                if change >= all {
                    return gardener.tally;
                }
                gardener.change(change).await;
            }
        })
    });
    let mut tally = Tally::new();
    for counted in join_all(clients).await {
        for (key, count) in counted.unwrap() {
            *tally.entry(key).or_default() += count;
        }
    }
    println!("{tally:?}");
    for kind in ["move", "merge", "create", "assign"] {
        let succeeded: usize = tally
            .iter()
            .filter(|((known, status), _)| *known == kind && *status < 300)
            .map(|(_, count)| count)
            .sum();
        assert!(succeeded > 0, "no {kind} succeeded: {tally:?}");
    }
    compare_with_recomputation(&world, &resources).await;
    no_deadlock_happened(&world).await;
}

/// Nor one that was resolved by running a transaction again.
async fn no_deadlock_happened(world: &World) {
    if world.backend == Backend::Postgres {
        let deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
        assert_eq!(world.scratch.number(deadlocks).await, 0);
    }
}

/// Reads everything and computes paths, levels and counts anew from parents, slugs and assignments alone.
async fn compare_with_recomputation(world: &World, resources: &[String]) {
    let listed = world
        .reader
        .all("taxonomy", &[("limit", "200"), ("subtree_counts", "true")])
        .await;
    let nodes: HashMap<&str, &Json> = listed.iter().map(|node| (id(node), node)).collect();
    let mut held: HashMap<String, BTreeSet<&str>> = HashMap::new();
    for resource in resources {
        let list = format!("resources/{resource}/taxonomy");
        for item in world.reader.all(&list, &[("limit", "200")]).await {
            let node = item["node_id"].as_str().unwrap().to_owned();
            held.entry(node).or_default().insert(resource.as_str());
        }
    }
    let mut beneath: HashMap<&str, BTreeSet<&str>> = HashMap::new();
    let mut paths = BTreeSet::new();
    for node in &listed {
        let (mut slugs, mut at) = (Vec::new(), node);
        loop {
            slugs.push(at["slug"].as_str().unwrap());
            let own = held.get(id(node)).into_iter().flatten();
            beneath.entry(id(at)).or_default().extend(own);
            match at["parent_id"].as_str() {
                Some(parent) => at = nodes[parent],
                None => break,
            }
            assert!(slugs.len() <= 32, "a circle at {node}");
        }
        slugs.reverse();
        assert_eq!(node["path"], slugs.join("/"), "{node}");
        assert_eq!(node["level"], slugs.len(), "{node}");
        assert!(paths.insert(slugs.join("/")), "twice: {node}");
        let own = held.get(id(node)).map_or(0, BTreeSet::len);
        assert_eq!(node["resource_count"], own, "{node}");
    }
    for node in &listed {
        assert_eq!(node["subtree_count"], beneath[id(node)].len(), "{node}");
    }
    // And so in the tables, of which the API shows no more than this.
    let wrong = "SELECT count(*) FROM taxonomy_nodes n WHERE resource_count <> \
                 (SELECT count(*) FROM resource_taxonomy a WHERE a.node_id = n.id)";
    assert_eq!(world.scratch.number(wrong).await, 0);
}

async fn nodes_in_opposite_orders_do_not_deadlock(world: World) {
    let left = node(&world, json!({"label": "left"})).await;
    let right = node(&world, json!({"label": "right"})).await;
    let mut leaves = Vec::new();
    for number in 0..8 {
        let parent = if number % 2 == 0 { &left } else { &right };
        let fields = json!({"label": format!("leaf {number}"), "parent_id": id(parent)});
        leaves.push(id(&node(&world, fields).await).to_owned());
    }
    let leaves = Arc::new(leaves);
    let ends = [id(&left).to_owned(), id(&right).to_owned()];
    let opponents = (0..OPPONENTS).map(|number| {
        let (client, leaves, ends) = (world.editor.clone(), Arc::clone(&leaves), ends.clone());
        tokio::spawn(async move {
            let mut order: Vec<&String> = leaves.iter().collect();
            if number % 2 == 1 {
                order.reverse();
            }
            let title = json!({"title": format!("of {number}")});
            let own = client.post("resources", &title).await.is(201).json();
            let own = format!("resources/{}", id(&own));
            for leaf in order {
                let there = json!({"node_id": leaf});
                client
                    .post(&format!("{own}/taxonomy"), &there)
                    .await
                    .is(201);
                let parent = json!({"parent_id": ends[number % 2]});
                client
                    .post(&format!("taxonomy/{leaf}/move"), &parent)
                    .await
                    .is(200);
            }
            // Eight counts go down in one statement, in whichever order the assignments are found.
            client.delete(&own, "*").await.is(204);
        })
    });
    for done in join_all(opponents).await {
        done.unwrap();
    }
    let wrong = "SELECT count(*) FROM taxonomy_nodes WHERE resource_count <> 0";
    assert_eq!(world.scratch.number(wrong).await, 0);
    no_deadlock_happened(&world).await;
}
