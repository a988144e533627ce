//! Private types of a program's own travel as they are: structs, enums, generics, sets and maps of them.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::error::Error;

use insula_guest::{Duplex, SendPort};
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
enum Color {
    Red,
    Green,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
struct Point {
    x: i32,
    y: i32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Boxed<T> {
    value: T,
    none: Option<T>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Shape {
    Empty,
    Circle(Point, f64),
    Polygon { corners: Vec<Point>, color: Option<Color> },
    Group(Box<Shape>, Box<Shape>),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct World {
    colors: HashSet<Color>,
    names: BTreeMap<Point, String>,
    shapes: HashMap<Color, Shape>,
    generic: (Boxed<u8>, Boxed<Option<String>>, Boxed<Vec<Point>>),
    unit: (),
}

fn echo(link: Duplex<World, World>) -> Result<(), insula_guest::SendError> {
    for mut world in &link {
        world.names.clear(); // a copy: nobody else sees it
        link.send(World { names: BTreeMap::from([(Point { x: 3, y: -4 }, "p".to_owned())]), ..world })?;
    }
    Ok(())
}

fn world() -> World {
    let corner = |x, y| Point { x, y };
    let circle = Shape::Circle(corner(1, 2), 0.5);
    let polygon = Shape::Polygon { corners: vec![corner(0, 0), corner(0, 1)], color: Some(Color::Red) };
    let group = Shape::Group(Box::new(circle), Box::new(Shape::Group(Box::new(polygon), Box::new(Shape::Empty))));
    World {
        colors: HashSet::from([Color::Red, Color::Green]),
        names: BTreeMap::from([(corner(3, -4), "p".to_owned())]),
        shapes: HashMap::from([(Color::Green, group)]),
        generic: (
            Boxed { value: 1, none: None },
            Boxed { value: None, none: Some(Some("x".to_owned())) },
            Boxed { value: vec![corner(5, 6)], none: None },
        ),
        unit: (),
    }
}

fn run(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    let (link, _isolate) = Duplex::<World, World>::spawn(echo)?;
    link.send(world())?;
    report.send(format!("came back the same: {}", link.recv()? == world()))?;
    Ok(())
}

insula_guest::export!(run as "run");

fn main() {}
