//! A file that tells countries, in MaxMind's format and as small as can be: one half of all IPv4 addresses
//! (those below 128.0.0.0) lies in one country, the other half nowhere.

/// The file for a country's ISO code.
#[must_use]
pub fn country_file(iso_code: &str) -> Vec<u8> {
    const NODES: u32 = 1;
    const SEPARATOR: u32 = 16;
    let record = |value: u32| value.to_be_bytes()[1..].to_vec();
    let mut file = [record(NODES + SEPARATOR), record(NODES)].concat();
    file.extend([0; SEPARATOR as usize]);
    file.extend(map(&[("country", map(&[("iso_code", text(iso_code))]))]));
    file.extend(b"\xab\xcd\xefMaxMind.com");
    file.extend(map(&[
        ("binary_format_major_version", number(5, 2)),
        ("binary_format_minor_version", number(5, 0)),
        ("build_epoch", long(1)),
        ("database_type", text("Country")),
        ("description", map(&[("en", text("A test's"))])),
        ("ip_version", number(5, 4)),
        ("languages", vec![0, 4]),
        ("node_count", number(6, NODES)),
        ("record_size", number(5, 24)),
    ]));
    file
}

/// A map: type 7 in the upper three bits, its size in the lower five.
fn map(entries: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = vec![7 << 5 | u8::try_from(entries.len()).unwrap()];
    for (key, value) in entries {
        bytes.extend(text(key));
        bytes.extend(value);
    }
    bytes
}

/// A text: type 2.
fn text(text: &str) -> Vec<u8> {
    let mut bytes = vec![2 << 5 | u8::try_from(text.len()).unwrap()];
    assert!(text.len() < 29, "longer texts have another head");
    bytes.extend(text.as_bytes());
    bytes
}

/// A number of type 5 (16 bits) or 6 (32 bits), in as few bytes as it needs.
fn number(kind: u8, value: u32) -> Vec<u8> {
    let bytes: Vec<u8> = value.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect();
    let mut all = vec![kind << 5 | u8::try_from(bytes.len()).unwrap()];
    all.extend(bytes);
    all
}

/// A number of 64 bits: an extended type, 9.
fn long(value: u8) -> Vec<u8> {
    vec![1, 2, value]
}
