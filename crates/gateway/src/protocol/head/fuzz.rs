//! Any stream of requests is judged the same however it is cut; and hyper's parser sees in what passes what we saw.

use super::*;
use cofferdam_fuzz::fuzz;

#[test]
fn a_stream_of_requests_is_judged_the_same_however_it_is_cut() {
    fuzz("request_head", target);
}

fn target(input: &[u8]) -> (Result<bool, HeadError>, usize) {
    let judge = |bytes_each: usize| {
        let mut requests = Requests::new();
        let verdict = input.chunks(bytes_each).try_for_each(|bytes| requests.push(bytes));
        (verdict.map(|()| requests.is_between_requests()), requests.gathered.len())
    };
    let whole = judge(usize::MAX);
    for bytes_each in [1, 7] {
        assert_eq!(judge(bytes_each).0, whole.0);
    }
    whole
}
