//! Many rows through all trees, fast: by ranks among a feature's thresholds instead of values.
//!
//! The thresholds that the forest has for a feature are sorted once. A value's rank is how many of
//! them it exceeds; it exceeds the one at `k` exactly when its rank is more than `k`. So ranks
//! decide every split as the values do, and a node is one 32-bit word: 16 bits threshold, 16 bits
//! feature. A tree of [`DEPTH`] levels is 1.5 KiB and stays in the first-level cache while a block
//! of rows passes through it, eight rows side by side so that their memory reads overlap.

use ndarray::ArrayView2;

use super::tree::Tree;

/// Levels of a tree of 256 rows.
pub(super) const DEPTH: u32 = 8;

const NODES: usize = 1 << DEPTH;

/// Rows whose ranks are kept at a time: 64 KiB with 64 features.
const BLOCK: usize = 512;

/// Rows walked side by side.
const LANES: usize = 8;

/// The most features: ranks of a row are padded to a power of two up to this.
const FEATURES_MAX: usize = 64;

/// A forest by ranks.
#[derive(Clone, Debug)]
pub(super) struct RankedForest {
    /// For each feature, its thresholds in ascending order, each once.
    cuts: Vec<Vec<f64>>,
    trees: Vec<RankedTree>,
}

#[derive(Clone, Debug)]
struct RankedTree {
    nodes: [Node; NODES],
    ends: [u16; NODES],
}

/// A split: the threshold's place among its feature's in the upper 16 bits, the feature in the
/// lower.
#[derive(Clone, Copy, Debug, Default)]
struct Node(u32);

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
        for cuts in &mut cuts {
            cuts.sort_unstable_by(f64::total_cmp);
            cuts.dedup();
            u16::try_from(cuts.len()).ok()?;
        }
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
            let missing = rank_of(cuts, *missing);
            for (value, ranks) in rows.column(feature).iter().zip(ranks.iter_mut()) {
                let rank = if value.is_nan() {
                    missing
                } else {
                    rank_of(cuts, *value)
                };
                if let Some(place) = ranks.get_mut(feature) {
                    *place = rank;
                }
            }
        }
    }
}

/// How many thresholds the value exceeds.
fn rank_of(cuts: &[f64], value: f64) -> u16 {
    let rank = cuts.partition_point(|cut| *cut < value);
    u16::try_from(rank).unwrap_or(u16::MAX)
}

impl RankedTree {
    fn new(tree: &Tree, cuts: &[Vec<f64>]) -> Option<Self> {
        let mut nodes = [Node::default(); NODES];
        for (at, node) in nodes.iter_mut().enumerate() {
            *node = match tree.split(at) {
                Some((feature, threshold)) => {
                    let rank = rank_of(cuts.get(feature)?, threshold);
                    Node(u32::from(rank) << 16 | u32::try_from(feature).ok()?)
                }
                // No rank exceeds it.
                None => Node(u32::from(u16::MAX) << 16),
            };
        }
        Some(Self {
            nodes,
            ends: tree.ends.as_slice().try_into().ok()?,
        })
    }

    /// Adds the path lengths of eight rows.
    #[inline]
    fn add_paths<const WIDTH: usize>(
        &self,
        ranks: &[[u16; WIDTH]; LANES],
        sums: &mut [u32; LANES],
    ) {
        let mut at = [1_usize; LANES];
        for _ in 0..DEPTH {
            for (at, ranks) in at.iter_mut().zip(ranks) {
                let Node(node) = self
                    .nodes
                    .get(*at & (NODES - 1))
                    .copied()
                    .unwrap_or_default();
                let feature = (node & 0xffff) as usize & (WIDTH - 1);
                let rank = ranks.get(feature).copied().unwrap_or_default();
                *at = 2 * *at + usize::from(u32::from(rank) > node >> 16);
            }
        }
        for (at, sum) in at.iter().zip(sums) {
            let end = self.ends.get(*at & (NODES - 1)).copied();
            *sum += u32::from(end.unwrap_or_default());
        }
    }
}
