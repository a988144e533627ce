//! Who lives, and who descends from whom.

use super::*;

fn child(registry: &Registry, parent: Option<&Arc<Control>>) -> Arc<Control> {
    let id = registry.number();
    Control::new(Cradle { id, lineage: Lineage::new(id, parent.map(|parent| &parent.lineage)), ..cradle() })
}

fn numbers(controls: &[Arc<Control>]) -> Vec<u64> {
    controls.iter().map(|control| control.id.0).collect()
}

#[test]
fn s9_a_host_admits_so_many() {
    let registry = Registry::new(2, 0);
    let [one, two, three] = [0; 3].map(|_| child(&registry, None));
    assert_eq!((registry.admit(&one), registry.admit(&two)), (Ok(()), Ok(())));
    assert_eq!(registry.admit(&three), Err(NotAdmitted::Full(2)));
    registry.remove(&one);
    registry.remove(&one);
    assert_eq!(registry.admit(&three), Ok(()));
    assert_eq!(numbers(&registry.all()), [2, 3]);
}

#[test]
fn s9_4_trusted_isolates_have_a_limit_of_their_own() {
    let registry = Registry::new(1, 1);
    let [one, two, three, four] = [0; 4].map(|_| child(&registry, None));
    [&two, &four].iter().for_each(|trusted| trusted.flags.set(Flags::TRUSTED));
    assert_eq!((registry.admit(&one), registry.admit(&two)), (Ok(()), Ok(())));
    assert_eq!((registry.admit(&three), registry.admit(&four)), (Err(NotAdmitted::Full(1)), Err(NotAdmitted::Full(1))));
    registry.remove(&two);
    assert_eq!((registry.admit(&three), registry.admit(&four)), (Err(NotAdmitted::Full(1)), Ok(())));
    registry.remove(&one);
    assert_eq!(registry.admit(&three), Ok(()));
}

#[test]
fn a_number_is_never_given_again() {
    let registry = Registry::new(1, 0);
    let one = child(&registry, None);
    registry.admit(&one).unwrap();
    registry.remove(&one);
    assert_eq!((one.id, registry.number()), (IsolateId(1), IsolateId(2)));
}

#[test]
fn the_living_are_found_and_the_dead_are_not() {
    let registry = Registry::new(2, 0);
    let one = child(&registry, None);
    assert!(registry.find(one.id).is_none());
    registry.admit(&one).unwrap();
    assert!(registry.find(one.id).is_some_and(|found| Arc::ptr_eq(&found, &one)));
    one.die(Exit::Returned, || registry.remove(&one)).unwrap();
    assert!(registry.find(one.id).is_none());
}

#[test]
fn a_closed_host_admits_nobody() {
    let registry = Registry::new(2, 0);
    let [one, two] = [0; 2].map(|_| child(&registry, None));
    registry.admit(&one).unwrap();
    registry.close();
    assert_eq!(registry.admit(&two), Err(NotAdmitted::Closed));
    assert_eq!(numbers(&registry.all()), [1], "who lives lives on");
}

#[test]
fn s2_7_descendants_are_found_across_a_dead_ancestor() {
    let registry = Registry::new(9, 0);
    let root = child(&registry, None);
    let first = child(&registry, Some(&root));
    let grandchild = child(&registry, Some(&first));
    let second = child(&registry, Some(&root));
    let stranger = child(&registry, None);
    for control in [&root, &first, &grandchild, &second, &stranger] {
        registry.admit(control).unwrap();
    }
    assert_eq!(numbers(&registry.descendants(root.id)), [2, 3, 4]);
    registry.remove(&first);
    drop(first);
    assert_eq!(numbers(&registry.descendants(root.id)), [3, 4]);
    assert_eq!(numbers(&registry.descendants(grandchild.id)), [0; 0]);
}
