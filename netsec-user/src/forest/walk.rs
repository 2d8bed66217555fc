//! One row through all trees, by the thresholds themselves: for single rows, and for trees too deep
//! or with too many thresholds for [`super::ranked`].

use super::tree::Tree;

/// Trees walked side by side, so that their memory reads overlap.
const SIDE_BY_SIDE: usize = 8;

/// The sum of the row's path lengths, in units of the forest's scale. The row has no NaN.
pub(super) fn path_sum(trees: &[Tree], row: &[f64]) -> u64 {
    let (groups, rest) = trees.as_chunks::<SIDE_BY_SIDE>();
    let together: u64 = groups.iter().map(|group| side_by_side(group, row)).sum();
    let alone: u64 = rest.iter().map(|tree| end(tree, walk(tree, row))).sum();
    together + alone
}

fn side_by_side(trees: &[Tree; SIDE_BY_SIDE], row: &[f64]) -> u64 {
    let [first, ..] = trees;
    let mut nodes = [1; SIDE_BY_SIDE];
    for _ in 0..first.depth {
        for (node, tree) in nodes.iter_mut().zip(trees) {
            *node = step(tree, *node, row);
        }
    }
    let ends = nodes.iter().zip(trees);
    ends.map(|(node, tree)| end(tree, *node)).sum()
}

fn walk(tree: &Tree, row: &[f64]) -> usize {
    (0..tree.depth).fold(1, |node, _| step(tree, node, row))
}

/// The child that the row goes to.
fn step(tree: &Tree, node: usize, row: &[f64]) -> usize {
    let threshold = tree.thresholds.get(node).copied().unwrap_or_default();
    let feature = tree.features.get(node).copied().unwrap_or_default();
    let value = row.get(usize::from(feature)).copied().unwrap_or_default();
    2 * node + usize::from(value > threshold)
}

fn end(tree: &Tree, node: usize) -> u64 {
    let end = tree.ends.get(node - tree.ends.len()).copied();
    u64::from(end.unwrap_or_default())
}
