//! How things are measured: in turns, several times, and the median counts.

/// How much is done.
#[derive(Clone, Copy)]
pub(crate) struct Effort {
    pub(crate) quick: bool,
}

impl Effort {
    /// So much, or a tenth of it.
    pub(crate) fn of(self, count: u32) -> u32 {
        if self.quick { count.div_ceil(10) } else { count }
    }

    /// Measurements of each side.
    pub(crate) fn rounds(self) -> usize {
        if self.quick { 1 } else { 7 }
    }

    /// One side, measured several times: the median.
    pub(crate) fn alone(self, mut ours: impl FnMut() -> anyhow::Result<f64>) -> anyhow::Result<f64> {
        Ok(median((0..self.rounds()).map(|_| ours()).collect::<anyhow::Result<_>>()?))
    }

    /// Both sides in turns: the medians.
    pub(crate) fn in_turns(
        self,
        ours: impl FnMut() -> anyhow::Result<f64>,
        reference: impl FnMut() -> anyhow::Result<f64>,
    ) -> anyhow::Result<(f64, f64)> {
        turns(self.rounds(), ours, reference)
    }

    /// As [`Effort::in_turns`], in fifteen times as many, which are to be short: for what differs by less than a busy machine
    /// does from itself a second later.
    pub(crate) fn in_many_turns(
        self,
        ours: impl FnMut() -> anyhow::Result<f64>,
        reference: impl FnMut() -> anyhow::Result<f64>,
    ) -> anyhow::Result<(f64, f64)> {
        turns(15 * self.rounds(), ours, reference)
    }
}

fn turns(
    rounds: usize,
    mut ours: impl FnMut() -> anyhow::Result<f64>,
    mut reference: impl FnMut() -> anyhow::Result<f64>,
) -> anyhow::Result<(f64, f64)> {
    let (mut our_times, mut their_times) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        our_times.push(ours()?);
        their_times.push(reference()?);
    }
    Ok((median(our_times), median(their_times)))
}

/// The one in the middle.
pub(crate) fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The value that so many percent of the numbers do not exceed.
pub(crate) fn percentile(mut numbers: Vec<f64>, percent: f64) -> f64 {
    numbers.sort_by(f64::total_cmp);
    let at = (numbers.len() as f64 * percent / 100.0).ceil() as usize;
    numbers.get(at.saturating_sub(1)).copied().unwrap_or(f64::NAN)
}
