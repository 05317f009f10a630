//! Round numbers for axes, and positions of labels.

/// Returns about `count` ticks from 0 to `max`; their distance is 1, 2, 2.5 or 5 times a power of ten.
pub(super) fn ticks(max: f64, count: f64) -> Vec<f64> {
    let rough = max / count;
    let power = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 2.5, 5.0, 10.0].map(|digit| digit * power).into_iter().find(|step| *step >= rough * 0.999);
    let step = step.filter(|step| step.is_normal()).unwrap_or(1.0);
    (0..=64).map(|index| f64::from(index) * step).take_while(|tick| *tick <= max * 1.0001).collect()
}

/// Writes a number of records in short form: `250k`, `1M`.
pub(super) fn short(number: f64) -> String {
    let (scaled, unit) = match number {
        number if number >= 1e9 => (number / 1e9, "G"),
        number if number >= 1e6 => (number / 1e6, "M"),
        number if number >= 1e3 => (number / 1e3, "k"),
        number => (number, ""),
    };
    format!("{}{unit}", (scaled * 100.0).round() / 100.0)
}

/// Moves labels that would overlap apart, as little as possible, and keeps their order.
pub(super) fn spread(wanted: &mut [f64], distance: f64, bottom: f64) {
    for index in 1..wanted.len() {
        wanted[index] = wanted[index].max(wanted[index - 1] + distance);
    }
    let mut below = bottom + distance;
    for label in wanted.iter_mut().rev() {
        *label = label.min(below - distance);
        below = *label;
    }
}

/// Returns the first row that has room for a label from `start` to `end`. `ends` holds where the last label of each row
/// ends.
pub(super) fn row(ends: &mut Vec<f64>, start: f64, end: f64) -> usize {
    let row = ends.iter().position(|taken| *taken < start).unwrap_or(ends.len());
    if row == ends.len() {
        ends.push(end);
    } else {
        ends[row] = end;
    }
    row
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ticks_are_round() {
        assert_eq!(ticks(47.3, 6.0), [0.0, 10.0, 20.0, 30.0, 40.0]);
        assert_eq!(ticks(1_031_250.0, 5.0), [0.0, 250_000.0, 500_000.0, 750_000.0, 1_000_000.0]);
        assert_eq!(ticks(0.0, 5.0), [0.0]);
    }

    #[test]
    fn numbers_are_short() {
        let texts = [0.0, 500.0, 2_500.0, 250_000.0, 1_000_000.0, 12_500_000.0].map(short);
        assert_eq!(texts, ["0", "500", "2.5k", "250k", "1M", "12.5M"]);
    }

    #[test]
    fn labels_that_would_overlap_are_in_different_rows() {
        let mut ends = Vec::new();
        let labels = [(0.0, 50.0), (40.0, 90.0), (60.0, 110.0), (70.0, 80.0)];
        assert_eq!(labels.map(|(start, end)| row(&mut ends, start, end)), [0, 1, 0, 2]);
    }

    proptest! {
        #[test]
            fn spread_labels_keep_their_distance(
            mut labels in prop::collection::vec(0.0..400.0_f64, 1..6),
        ) {
            labels.sort_by(f64::total_cmp);
            spread(&mut labels, 18.0, 400.0);
            prop_assert!(labels.windows(2).all(|pair| pair[1] - pair[0] > 17.999));
            prop_assert!(labels.iter().all(|label| *label <= 400.0));
        }

        #[test]
        fn there_are_three_to_six_ticks(max in 1e-3..1e12_f64) {
            let ticks = ticks(max, 5.0);
            prop_assert!((3..=6).contains(&ticks.len()), "{ticks:?}");
        }
    }
}
