//! What the paths of an answer lead to, item by item.

use super::{
    super::{
        inference::{Output, Prediction},
        meaning::Raw,
        path,
        predictions::{Builder, Each, Items, Shares, SharesOf, most_items, prediction},
        table::TooLarge,
        walk::Number,
    },
    Answer, Body, Found, JsonPath, Leaf, Node, Paths, Place, Segment,
};

/// What `paths` lead to in an answer; `bytes`: of both bodies. `None`: nothing of an item is there.
pub(super) fn answer(
    body: &mut Body<'_>,
    paths: &Paths,
    bytes: usize,
) -> Result<Option<Answer>, TooLarge> {
    let model = body.word(paths.model.as_ref())?;
    let version = body.word(paths.version.as_ref())?;
    let wanted = [&paths.class, &paths.confidence, &paths.probabilities];
    let raw = match &paths.items {
        Some(items) if wanted.iter().all(|path| path.is_none()) => of_items(body, items, bytes)?,
        _ => of_paths(body, paths, bytes)?,
    };
    Ok(raw.filter(|raw| raw.items() > 0).map(|raw| Answer {
        model,
        version,
        raw,
        sure: true,
        ..Answer::default()
    }))
}

/// Items whose shape is found out.
fn of_items(body: &mut Body<'_>, path: &JsonPath, bytes: usize) -> Result<Option<Raw>, TooLarge> {
    let found = body.find(path)?;
    if let (true, [only]) = (path.is_singular(), &found[..]) {
        let items = Items {
            bytes,
            has_maps: false,
            has_numbers: false,
        };
        return body.read(only.place(), items);
    }
    let mut builder = Builder::within(bytes);
    builder.reserve(found.len());
    for found in found {
        body.read(found.place(), Each(&mut builder))??;
    }
    Ok(builder.finish())
}

fn of_paths(body: &mut Body<'_>, paths: &Paths, bytes: usize) -> Result<Option<Raw>, TooLarge> {
    let items = ItemPlaces::find(body, paths)?;
    if paths.class.is_some() && items.count() > Some(most_items(bytes)) {
        // each of them would have a class, known or not
        return Err(TooLarge);
    }
    let class = items.each(body, paths.class.as_ref(), false)?;
    let confidence = items.each(body, paths.confidence.as_ref(), false)?;
    let probabilities = items.each(body, paths.probabilities.as_ref(), true)?;
    let columns = [class, confidence, probabilities];
    let rows = |found: &Vec<Found>| found.last().map_or(0, |found| found.row() + 1);
    let most = || columns.iter().map(rows).max().unwrap_or(0);
    let count = items.count().unwrap_or_else(most);
    // room that is not needed any more
    drop(items);
    let mut builder = Builder::within(bytes);
    if paths.class.is_some() {
        builder.reserve(count);
    }
    let mut columns = columns.map(|found| found.into_iter().peekable());
    for item in 0..count {
        let [class, share, shares] = columns.each_mut().map(|column| {
            let found = column.next_if(|found| found.row() == item);
            found.map(Found::place)
        });
        let said = Said {
            class: read(body, class, Class)?.flatten(),
            share: read(body, share, Number)?.flatten(),
            shares: {
                let scores = scores(body, shares);
                read(body, shares, scores)?.unwrap_or_default()
            },
        };
        said.put(&mut builder, paths)?;
        if item == 0 {
            builder.reserve_vectors(count);
        }
    }
    Ok(builder.finish())
}

/// Reads what stands at a place, where there is one.
fn read<'a, N: Node<'a>>(
    body: &mut Body<'a>,
    place: Option<Place>,
    node: N,
) -> Result<Option<N::Found>, TooLarge> {
    place.map(|place| body.read(place, node)).transpose()
}

/// The place of scores, with room for as many as `place` holds.
fn scores(body: &Body<'_>, place: Option<Place>) -> SharesOf {
    let most = place.map_or(0, |place| body.tape.children(place).count());
    SharesOf { most }
}

/// What is said of one item.
struct Said<'a> {
    class: Option<Prediction>,
    share: Option<f64>,
    shares: Shares<'a>,
}

impl Said<'_> {
    fn put(self, builder: &mut Builder, paths: &Paths) -> Result<(), TooLarge> {
        let Self {
            class,
            share,
            shares,
        } = self;
        if paths.class.is_none() && shares.has_names() {
            builder.ranking(shares)?;
            if let (Some(best), true) = (builder.outputs_mut().last_mut(), share.is_some()) {
                best.be_sure(share);
            }
            return Ok(());
        }
        if paths.class.is_some() {
            let class = class.unwrap_or_default();
            let share = share.or_else(|| shares.of(&class));
            builder.scores(shares);
            return builder.output(Output::new(class, share));
        }
        let is_said = shares.is_empty() || share.is_some();
        builder.scores(shares);
        if is_said {
            return builder.output(Output::new(Prediction::Unknown, share));
        }
        // vectors alone: what they mean is settled for all of them
        builder.fits()
    }
}

/// Where the items are, where a path says so.
struct ItemPlaces<'p> {
    found: Option<(&'p JsonPath, Vec<Found>)>,
}

impl<'p> ItemPlaces<'p> {
    fn find(body: &mut Body<'_>, paths: &'p Paths) -> Result<Self, TooLarge> {
        let Some(path) = &paths.items else {
            return Ok(Self { found: None });
        };
        let found = body.find(path)?;
        let found = body.elements(path, &found).unwrap_or(found);
        Ok(Self {
            found: Some((path, found)),
        })
    }

    fn count(&self) -> Option<usize> {
        self.found.as_ref().map(|(_, places)| places.len())
    }

    /// One place for each item that has one, by item.
    ///
    /// A path that goes through the items is followed on in each of them; any other from each item,
    /// and where that leads nowhere, from the root. `is_vector`: what one item has is a list.
    fn each(
        &self,
        body: &mut Body<'_>,
        path: Option<&JsonPath>,
        is_vector: bool,
    ) -> Result<Vec<Found>, TooLarge> {
        let Some(path) = path else {
            return Ok(Vec::new());
        };
        if let Some((items, places)) = &self.found {
            let below = path.below(items);
            let in_each = in_each(body, places, below.unwrap_or(path.segments()))?;
            if below.is_some() || !in_each.is_empty() {
                return Ok(in_each);
            }
        }
        let found = body.find(path)?;
        let is_each = |found: &Found| !is_vector || holds_more(body, found.place());
        match body.elements(path, &found) {
            Some(elements) if elements.iter().all(is_each) => Ok(elements),
            _ => Ok(one_a_row(found)),
        }
    }
}

/// The one place that `segments` lead to in each item; where there are several, none.
fn in_each(
    body: &mut Body<'_>,
    items: &[Found],
    segments: &[Segment],
) -> Result<Vec<Found>, TooLarge> {
    let mut places = Vec::new();
    let start = items.iter().map(|item| item.place()).min().unwrap_or(0);
    let ends = items.iter().map(|item| body.tape.after(item.place()));
    if !body.may_lead(&(start..ends.max().unwrap_or(0)), segments) {
        return Ok(places);
    }
    let wants_object = segments
        .first()
        .is_some_and(|first| matches!(first, Segment::Child(_)) && path::wants_names(first));
    for (row, item) in items.iter().map(|item| item.place()).enumerate() {
        if !segments.is_empty() && body.tape.after(item) == item + 1 {
            // it holds nothing
            continue;
        }
        if wants_object && !body.tape.is_object(item) {
            continue;
        }
        if let [only] = body.find_below(item, segments)?[..] {
            places.push(Found::new(row, only.place()));
        }
    }
    Ok(places)
}

fn holds_more(body: &Body<'_>, place: Place) -> bool {
    body.tape.is_list(place) || body.tape.is_object(place)
}

/// Where a row has several, each is a row of its own.
fn one_a_row(mut found: Vec<Found>) -> Vec<Found> {
    if found.windows(2).any(|pair| pair[0].row() == pair[1].row()) {
        for (row, found) in found.iter_mut().enumerate() {
            *found = Found::new(row, found.place());
        }
    }
    found
}

/// A class or a number.
struct Class;

impl Node<'_> for Class {
    type Found = Option<Prediction>;

    fn leaf(self, leaf: Leaf<'_>) -> Option<Prediction> {
        prediction(leaf)
    }
}

/// The keys of the paths that lead to nothing.
pub(super) fn not_found(body: &mut Body<'_>, paths: &Paths) -> Result<Vec<&'static str>, TooLarge> {
    let mut missing = Vec::new();
    let items = ItemPlaces::find(body, paths)?;
    if items.count() == Some(0) {
        missing.push("paths.items");
    }
    for (key, path, is_vector) in [
        ("paths.class", &paths.class, false),
        ("paths.confidence", &paths.confidence, false),
        ("paths.probabilities", &paths.probabilities, true),
    ] {
        let found = items.each(body, path.as_ref(), is_vector)?;
        if path.is_some() && found.iter().all(|found| body.tape.is_null(found.place())) {
            missing.push(key);
        }
    }
    for (key, path) in [
        ("paths.model", &paths.model),
        ("paths.version", &paths.version),
    ] {
        if path.is_some() && body.word(path.as_ref())?.is_none() {
            missing.push(key);
        }
    }
    Ok(missing)
}
