//! Memory that the process has no use for.

/// Gives what has been freed back to the kernel, which the allocator keeps otherwise; to be called now and then by a
/// process that lives long and is seldom busy. Takes no longer than there are pages to give.
pub fn give_back() {
    // SAFETY: takes nothing and touches only the allocator's own free pages, under the allocator's own locks.
    let _whether_any = unsafe { libc::malloc_trim(0) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_use_stays_as_it_is() {
        let kept: Vec<Vec<u8>> = (0..1_000).map(|byte: usize| vec![byte.to_le_bytes()[0]; 8 << 10]).collect();
        drop(kept.to_vec());
        give_back();
        assert!(
            kept.iter().enumerate().all(|(at, bytes)| bytes.iter().all(|byte| *byte == at.to_le_bytes()[0]))
        );
    }
}
