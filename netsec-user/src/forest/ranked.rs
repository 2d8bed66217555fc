//! Many rows through all trees, fast: by ranks among a feature's thresholds instead of values.
//!
//! The thresholds that the forest has for a feature are sorted once. A value's rank is how many of
//! them it exceeds; it exceeds the one at `k` exactly when its rank is more than `k`. So ranks
//! decide every split as the values do, and a node is three bytes: 16 bits threshold, 8 bits
//! feature. A tree of [`DEPTH`] levels is 1.25 KiB and stays in the first-level cache while a block
//! of rows passes through it, twelve rows side by side so that their memory reads overlap. Threshold
//! and feature lie apart, so that each is one load without shifting, and the comparison takes its
//! threshold from memory.

use ndarray::ArrayView2;

use super::tree::Tree;

/// Levels of a tree of 256 rows.
pub(super) const DEPTH: u32 = 8;

const NODES: usize = 1 << DEPTH;

/// Rows whose ranks are kept at a time: 61 KiB with 64 features.
const BLOCK: usize = 40 * LANES;

/// Rows walked side by side: as many as the places in the trees that fit registers, on x86-64.
const LANES: usize = 12;

/// Values ranked side by side.
const SEARCHES: usize = 8;

/// The most features: ranks of a row are padded to a power of two up to this.
const FEATURES_MAX: usize = 64;

/// A forest by ranks.
#[derive(Clone, Debug)]
pub(super) struct RankedForest {
    cuts: Vec<Cuts>,
    trees: Vec<RankedTree>,
}

/// A feature's thresholds in ascending order, each once, and infinities up to one less than a power
/// of two: a search in them takes the same steps for every value.
#[derive(Clone, Debug)]
struct Cuts(Vec<f64>);

#[derive(Clone, Debug)]
struct RankedTree {
    /// Each split's threshold, by its place among its feature's; nothing exceeds a leaf's.
    thresholds: [u16; NODES],
    features: [u8; NODES],
    ends: [u16; NODES],
}

impl RankedForest {
    /// The forest by ranks, or `None` when its trees are deeper than [`DEPTH`], or it has more
    /// features or thresholds than the format holds.
    pub(super) fn new(trees: &[Tree], features: usize) -> Option<Self> {
        if features > FEATURES_MAX || trees.iter().any(|tree| tree.depth != DEPTH) {
            return None;
        }
        let mut cuts = vec![Vec::new(); features];
        for tree in trees {
            for (feature, threshold) in (1..NODES).filter_map(|node| tree.split(node)) {
                cuts.get_mut(feature)?.push(threshold);
            }
        }
        let cuts: Vec<Cuts> = cuts.into_iter().map(Cuts::new).collect::<Option<_>>()?;
        let trees = trees.iter().map(|tree| RankedTree::new(tree, &cuts));
        Some(Self {
            trees: trees.collect::<Option<_>>()?,
            cuts,
        })
    }

    /// Writes the sum of each row's path lengths, in units of the forest's scale. NaN is replaced
    /// by the feature's `missing`.
    pub(super) fn path_sums(&self, rows: ArrayView2<'_, f64>, missing: &[f64], sums: &mut [u64]) {
        match self.cuts.len() {
            0..=4 => self.blocks::<4>(rows, missing, sums),
            5..=8 => self.blocks::<8>(rows, missing, sums),
            9..=16 => self.blocks::<16>(rows, missing, sums),
            17..=32 => self.blocks::<32>(rows, missing, sums),
            _ => self.blocks::<FEATURES_MAX>(rows, missing, sums),
        }
    }

    #[expect(
        clippy::useless_vec,
        reason = "ranks of 64 features are 64 KiB, too much for a thread's stack"
    )]
    fn blocks<const WIDTH: usize>(
        &self,
        rows: ArrayView2<'_, f64>,
        missing: &[f64],
        sums: &mut [u64],
    ) {
        let mut ranks = vec![[[0; WIDTH]; LANES]; BLOCK / LANES];
        let mut block_sums = [[0_u32; LANES]; BLOCK / LANES];
        let blocks = rows.axis_chunks_iter(ndarray::Axis(0), BLOCK);
        for (rows, sums) in blocks.zip(sums.chunks_mut(BLOCK)) {
            self.rank(rows, missing, ranks.as_flattened_mut());
            let groups = rows.nrows().div_ceil(LANES);
            block_sums.fill([0; LANES]);
            for tree in &self.trees {
                let lanes = ranks.iter().zip(&mut block_sums).take(groups);
                lanes.for_each(|(ranks, sums)| tree.add_paths(ranks, sums));
            }
            for (sum, block_sum) in sums.iter_mut().zip(block_sums.as_flattened()) {
                *sum = u64::from(*block_sum);
            }
        }
    }

    fn rank<const WIDTH: usize>(
        &self,
        rows: ArrayView2<'_, f64>,
        missing: &[f64],
        ranks: &mut [[u16; WIDTH]],
    ) {
        for (feature, (cuts, missing)) in self.cuts.iter().zip(missing).enumerate() {
            let column = rows.column(feature);
            let mut values = column
                .iter()
                .map(|value| if value.is_nan() { *missing } else { *value });
            for ranks in ranks
                .chunks_mut(SEARCHES)
                .take(rows.nrows().div_ceil(SEARCHES))
            {
                let wanted = [(); SEARCHES].map(|()| values.next().unwrap_or_default());
                for (ranks, rank) in ranks.iter_mut().zip(cuts.ranks_of(wanted)) {
                    if let Some(place) = ranks.get_mut(feature) {
                        *place = rank;
                    }
                }
            }
        }
    }
}

impl Cuts {
    /// `None`, when there are more than a rank has numbers for.
    fn new(mut cuts: Vec<f64>) -> Option<Self> {
        cuts.sort_unstable_by(f64::total_cmp);
        cuts.dedup();
        u16::try_from(cuts.len()).ok()?;
        let steps = usize::BITS - cuts.len().leading_zeros();
        cuts.resize((1 << steps) - 1, f64::INFINITY);
        Some(Self(cuts))
    }

    /// How many thresholds each value exceeds.
    #[inline]
    fn ranks_of(&self, values: [f64; SEARCHES]) -> [u16; SEARCHES] {
        let Self(cuts) = self;
        let mut ranks = [0; SEARCHES];
        for step in (0..cuts.len().count_ones()).rev() {
            // Added without a branch: which way a search goes cannot be foretold.
            for (rank, value) in ranks.iter_mut().zip(&values) {
                let cut = cuts.get(*rank + (1 << step) - 1);
                let exceeds = cut.copied().unwrap_or(f64::INFINITY) < *value;
                *rank += usize::from(exceeds) << step;
            }
        }
        ranks.map(|rank| u16::try_from(rank).unwrap_or(u16::MAX))
    }

    fn rank_of(&self, value: f64) -> u16 {
        let [rank, ..] = self.ranks_of([value; SEARCHES]);
        rank
    }
}

impl RankedTree {
    fn new(tree: &Tree, cuts: &[Cuts]) -> Option<Self> {
        let mut ranked = Self {
            thresholds: [u16::MAX; NODES],
            features: [0; NODES],
            ends: tree.ends.as_slice().try_into().ok()?,
        };
        let nodes = ranked.thresholds.iter_mut().zip(&mut ranked.features);
        for (at, (place, of)) in nodes.enumerate() {
            if let Some((feature, threshold)) = tree.split(at) {
                *place = cuts.get(feature)?.rank_of(threshold);
                *of = u8::try_from(feature).ok()?;
            }
        }
        Some(ranked)
    }

    /// Adds the path lengths of some rows.
    #[inline]
    fn add_paths<const WIDTH: usize>(
        &self,
        ranks: &[[u16; WIDTH]; LANES],
        sums: &mut [u32; LANES],
    ) {
        let mut at = [1_usize; LANES];
        for _ in 0..DEPTH {
            for (at, ranks) in at.iter_mut().zip(ranks) {
                let node = *at & (NODES - 1);
                let feature = self.features.get(node).copied().unwrap_or_default();
                let threshold = self.thresholds.get(node).copied().unwrap_or_default();
                let rank = ranks.get(usize::from(feature) & (WIDTH - 1));
                *at = 2 * *at + usize::from(rank.copied().unwrap_or_default() > threshold);
            }
        }
        for (at, sum) in at.iter().zip(sums) {
            let end = self.ends.get(*at & (NODES - 1)).copied();
            *sum += u32::from(end.unwrap_or_default());
        }
    }
}
