use super::*;

fn learn(name: &str, cells: &[&str]) -> Result<(Vec<Feature>, Vec<f64>), &'static str> {
    let rows: Vec<StringRecord> = cells.iter().map(|cell| [*cell].iter().collect()).collect();
    let names = [name.to_owned()];
    let (encoding, left_out) =
        Encoding::learn(&names, &rows, None, None).map_err(|_error| "no encoding")?;
    if let Some(left_out) = left_out.first() {
        return Err(left_out.reason);
    }
    let mut numbers = Vec::new();
    rows.iter()
        .for_each(|row| encoding.encode(row, &[0], &mut numbers));
    Ok((encoding.features(), numbers))
}

#[test]
fn numbers_stand_for_themselves() {
    let (features, numbers) = learn("bytes_out", &["1", " 2.5", "inf", "16"]).unwrap();
    assert_eq!(
        (features[0].name.as_str(), features[0].unit),
        ("bytes_out", Unit::Bytes)
    );
    assert_eq!(numbers, [1.0, 2.5, f64::INFINITY, 16.0]);
}

#[test]
fn missing_numbers_are_nan() {
    let (_, numbers) = learn("x", &["1", "2", "", "-", "NaN", "null"]).unwrap();
    assert_eq!(numbers.iter().filter(|number| number.is_nan()).count(), 4);
}

#[test]
fn a_frequent_text_is_less_rare() {
    let (features, numbers) = learn("proto", &["tcp", "tcp", "tcp", "udp"]).unwrap();
    assert_eq!(features[0].name, "proto.rarity");
    assert_eq!(numbers, [0.0, 0.0, 0.0, 1.0]);
}

#[test]
fn addresses_are_rare_by_host_and_by_network() {
    let cells = ["10.0.0.1", "10.0.0.2", "2001:db8::1", "10.0.0.3"];
    let (features, numbers) = learn("src_ip", &cells).unwrap();
    let names: Vec<_> = features
        .iter()
        .map(|feature| feature.name.as_str())
        .collect();
    assert_eq!(names, ["src_ip.rarity", "src_ip.network_rarity"]);
    assert!(numbers[1] < numbers[5], "{numbers:?}");
}

#[test]
fn client_ports_are_one() {
    let (features, numbers) = learn("src_port", &["40000", "50000", "22", "60000"]).unwrap();
    assert_eq!(features[0].name, "src_port.rarity");
    assert!(
        numbers[0] == numbers[3] && numbers[2] > numbers[0],
        "{numbers:?}"
    );
}

#[test]
fn times_are_times_of_day() {
    let cells = ["2024-04-19T00:00:10Z", "2024-04-20T00:00:20.5Z"];
    assert_eq!(learn("ts", &cells).unwrap().1, [10.0, 20.5]);
    assert_eq!(
        learn("seen", &["2024-04-19 00:01:00", "2024-04-19 01:00:00"])
            .unwrap()
            .1,
        [60.0, 3600.0]
    );
    assert_eq!(
        learn("ts", &["1713484800.5", "1713484801"]).unwrap().1,
        [0.5, 1.0]
    );
    // Another column of large numbers is no time.
    assert_eq!(
        learn("bytes", &["1713484800", "5"]).unwrap().1[0],
        1_713_484_800.0
    );
}

#[test]
fn columns_without_use_are_left_out() {
    assert_eq!(learn("x", &["7", "7"]), Err("every row has the same value"));
    assert_eq!(learn("x", &["", "-"]), Err("every row lacks it"));
    let ids: Vec<String> = (0..200).map(|id| format!("C{id}x")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    assert_eq!(
        learn("uid", &ids),
        Err("nearly every row has a text of its own")
    );
}

#[test]
fn a_column_that_is_not_there_is_named() {
    let names = ["a".to_owned(), "b".to_owned()];
    let wanted = ["c".to_owned()];
    let error = Encoding::learn(&names, &[], Some(&wanted), None).unwrap_err();
    assert_eq!(
        error.to_string(),
        "there is no column `c`; the columns are a, b"
    );
}
