use super::*;

#[test]
fn a_closed_pipe_is_an_error() {
    struct Closed;
    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut text = Text::new(Closed, sensor(ONE), Style::PLAIN);
    let error = text.summary(&summary()).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
}

#[test]
fn a_finding_is_one_line() {
    let finding = finding();
    assert_eq!(
        text(ONE, Style::PLAIN, |text| text.finding(&finding)),
        "finding 01:31:03.3 high scan.vertical start 10.0.0.1 > 10.0.0.2 \
         1000 TCP ports tried in 1.2s [T1046]\n"
    );
    let mut guessing = finding;
    guessing.service = Some((protocol::TCP, Some(22)));
    guessing.victim = crate::finding::Party::Host("2001:db8::2".parse().unwrap());
    let line = text(ONE, ALIGNED, |text| text.finding(&guessing));
    assert!(line.contains("> [2001:db8::2]:22  1000 TCP"), "{line}");
}
