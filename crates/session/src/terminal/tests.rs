//! The attacks of a program on the terminal that shows it, each beside a neighbour that must pass; then the laws.

use super::modes::PRIVATE_MODES;
use super::*;

mod fuzz;
mod laws;

fn filtered(input: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    Filter::new(Medium::Terminal).feed(input, &mut out);
    out
}

fn piped(input: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    Filter::new(Medium::Pipe).feed(input, &mut out);
    out
}

#[track_caller]
fn passes(input: &str) {
    prints(input, input);
}

#[track_caller]
fn prints(input: &str, output: &str) {
    prints_bytes(input.as_bytes(), output);
}

#[track_caller]
fn prints_bytes(input: &[u8], output: &str) {
    assert_eq!(String::from_utf8(filtered(input)).unwrap(), output);
}

/// Terminal of 24 × 80 that is asked.
fn replies_to(input: &[u8]) -> String {
    let (mut out, mut replies) = (Vec::new(), Vec::new());
    Terminal::new(Size::new(24, 80)).feed(input, &mut out, &mut replies);
    String::from_utf8(replies).unwrap()
}

mod attacks {
    use super::*;

    #[test]
    fn the_clipboard_is_neither_written_nor_read() {
        prints("a\x1b]52;c;ZXZpbA==\x07b", "ab");
        prints("a\x1b]52;c;?\x1b\\b", "ab");
        prints("a\x1b]52;p;ZXZpbA==", "a");
        passes("a]52;c;ZXZpbA==b");
    }

    #[test]
    fn titles_are_neither_set_nor_reported_back_as_input() {
        prints("\x1b]0;rm -rf ~\x07$ \x1b[21t\x1b[20t\x1b[22;0t\x1b[23;0t", "$ ");
        prints("\x1bkscreen title\x1b\\$ ", "screen title$ ");
        passes("$ \x1b[2K");
    }

    #[test]
    fn links_are_dropped_and_an_unclosed_one_does_not_outlive_its_sequence() {
        prints("\x1b]8;;https://example.com\x1b\\click\x1b]8;;\x1b\\ plain", "click plain");
        prints("\x1b]8;;https://example.com\x07click, never closed", "click, never closed");
    }

    #[test]
    fn no_string_of_any_kind_reaches_the_owner() {
        for string in [
            "\x1b]4;1;?\x07",
            "\x1b]10;?\x1b\\",
            "\x1b]11;?\x07",
            "\x1b]7;file:///etc\x07",
            "\x1b]9;notify\x07",
            "\x1b]104\x07",
            "\x1b]133;A\x07",
            "\x1b]777;notify;a;b\x07",
            "\x1b]1337;File=name=eA==;inline=1:AAAA\x07",
            "\x1bPq#0;2;0;0;0#0~~@@vv$-\x1b\\",
            "\x1bP$qm\x1b\\",
            "\x1bP+q544e\x1b\\",
            "\x1bPtmux;\x1b\x1b]52;c;AA\x07\x1b\\",
            "\x1bP0;1|17/17\x1b\\",
            "\x1b_Gf=24,s=1,v=1;AAAA\x1b\\",
            "\x1b^private message\x1b\\",
            "\x1bXstart of string\x1b\\",
        ] {
            prints(&format!("<{string}>"), "<>");
        }
        // The end of a passthrough within the passthrough: what follows is text.
        prints("\x1bP\x1b\\]52;c;AA", "]52;c;AA");
    }

    #[test]
    fn an_endless_string_takes_no_memory_and_ends_where_a_terminal_would_end_it() {
        let mut filter = Filter::new(Medium::Terminal);
        let mut out = Vec::new();
        for start in [&b"\x1b]0;"[..], b"\x1bPq", b"\x1b_G", b"\x1b[1"] {
            filter.feed(start, &mut out);
            for _ in 0..16 {
                filter.feed(&[b'1'; 65536], &mut out);
            }
            assert_eq!(out, b"");
            filter.feed(b"\x18", &mut out);
        }
        filter.feed(b"after", &mut out);
        assert_eq!(out, b"after");
    }

    #[test]
    fn questions_never_reach_the_owners_terminal() {
        for question in [
            "\x1b[c",
            "\x1b[0c",
            "\x1b[>c",
            "\x1b[=c",
            "\x1b[>q",
            "\x1b[5n",
            "\x1b[6n",
            "\x1b[?6n",
            "\x1b[?15n",
            "\x1b[?996n",
            "\x1b[?2026$p",
            "\x1b[4$p",
            "\x1b[14t",
            "\x1b[18t",
            "\x1b[?u",
            "\x1b[?1;1;0S",
            "\x1b[1$w",
            "\x1b[x",
            "\x1b['|",
            "\x1b[>4;?m",
            "\x1b[1;1;1;1;1;1*y",
            "\x1b[&u",
            "\x1bZ",
            "\x05",
            "\u{9a}",
            "\x1b[?26n",
        ] {
            let out = String::from_utf8(filtered(format!("<{question}>").as_bytes())).unwrap();
            assert!(matches!(out.as_str(), "<>" | "<\u{fffd}>"), "{question:?} became {out:?}");
        }
    }

    #[test]
    fn we_answer_what_programs_wait_for_and_nothing_else() {
        assert_eq!(replies_to(b"\x1b[5n"), "\x1b[0n");
        assert_eq!(replies_to(b"ab\r\ncd\x1b[6n"), "\x1b[2;3R");
        assert_eq!(replies_to(b"\x1b[10;20H\x1b[6nxy\x1b[6n"), "\x1b[10;20R\x1b[10;22R");
        assert_eq!(replies_to(b"\x1b[999;999H\x1b[6nx\x1b[6n"), "\x1b[24;80R\x1b[24;80R");
        assert_eq!(replies_to(b"\x1b]11;?\x07\x1b[?u\x1b[>q\x1b[c"), "\x1b[?62;22c");
        assert_eq!(replies_to(b"\x1b[>c"), "\x1b[>0;95;0c");
        assert_eq!(replies_to(b"\x1b[14t\x1b[21t\x1bP+q544e\x1b\\\x05\x1b[?2026$p"), "");
    }

    #[test]
    fn answers_are_bounded_and_an_echo_makes_no_loop() {
        let flood = b"\x1b[c".repeat(10_000);
        assert!(replies_to(&flood).len() <= REPLY_BYTES_MAX);
        let all = replies_to(b"\x1b[5n\x1b[6n\x1b[c\x1b[>c");
        assert_eq!(all.matches('\x1b').count(), 4);
        assert_eq!(replies_to(all.as_bytes()), "");
        prints(&all, "");
    }

    #[test]
    fn bidi_and_invisible_characters_are_made_visible() {
        prints("a\u{202e}b\u{2066}c\u{200f}d", "a\u{fffd}b\u{fffd}c\u{fffd}d");
        prints(
            "a\u{200b}b\u{feff}\u{ad}\u{2060}\u{3164}\u{e0041}",
            "a\u{fffd}b\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}",
        );
        prints("a\u{a0}b\u{3000}c\u{2800}d", "a b  c d");
        passes(
            "größe \u{5e9}\u{5dc}\u{5d5}\u{5dd} 日本語 e\u{301} ─█⣿ \u{e0b0} 😀 ⚠\u{fe0f} 1\u{fe0f}\u{20e3} 👩\u{200d}🚀",
        );
        prints("a\u{fe0f}b\u{200d}c", "a\u{fffd}b\u{fffd}c");
    }

    #[test]
    fn marks_do_not_pile_up_over_other_lines() {
        let marks = |count| "\u{301}".repeat(count);
        prints(
            &format!("a{}b{}", marks(20), marks(2)),
            &format!("a{}\u{fffd}{}\u{fffd}{}b{}", marks(8), marks(8), marks(2), marks(2)),
        );
    }

    #[test]
    fn control_characters_of_the_c1_set_are_no_controls() {
        prints_bytes(b"a\x9b31mb\x9d52;c;AA\x9cc", "a\u{fffd}31mb\u{fffd}52;c;AA\u{fffd}c");
        prints("a\u{9b}31mb\u{90}q\u{9c}", "a\u{fffd}31mb\u{fffd}q\u{fffd}");
    }

    #[test]
    fn bytes_that_are_not_utf8_become_replacement_characters() {
        prints_bytes(b"a\xff\xc0\x80b\xe2\x82", "a\u{fffd}\u{fffd}\u{fffd}b");
        passes("a€b");
    }

    /// `vte` 0.15, given these chunks as they are, loses the byte after the character: here an escape.
    #[test]
    fn no_byte_is_lost_where_a_chunk_ends_within_a_character() {
        for next in [&b"A"[..], b"\n", b"\x1b[1m"] {
            let whole = [b"\xc3\xa9", next, b"\xe2\x94\x80"].concat();
            let (mut filter, mut out) = (Filter::new(Medium::Terminal), Vec::new());
            filter.feed(&whole[..1], &mut out);
            filter.feed(&whole[1..], &mut out);
            assert_eq!(out, whole);
        }
    }

    /// Each of these made `vt100` 0.18 panic when it was fed the presentation selector.
    #[test]
    fn an_emoji_at_the_margin_does_not_end_the_supervisor() {
        let inputs = ["⚠\u{fe0f}", "x\x1b[9b\t⚠\u{fe0f}\x1b[H日本\t\x1b[r", "日本日本한ำ⚠\u{fe0f}\x1b[d🇩🇪"];
        for (input, columns) in inputs.into_iter().zip([1, 2, 2]) {
            let mut terminal = Terminal::new(Size::new(3, columns));
            let mut out = Vec::new();
            terminal.feed(input.as_bytes(), &mut out, &mut Vec::new());
            assert!(String::from_utf8(out).unwrap().contains("⚠\u{fe0f}"), "the owner gets it");
        }
    }

    #[test]
    fn the_window_the_printer_and_the_scrollback_are_out_of_reach() {
        prints("\x1b[8;1;1t\x1b[2t\x1b[3;0;0t\x1b[9;1t", "");
        prints("\x1b[5i\x1b[4i\x1b[?5i", "");
        prints("\x1b[H\x1b[2J\x1b[3J", "\x1b[H\x1b[2J");
        prints("\x1b[?3h\x1b[?40h\x1b[?3l", "");
        prints("\x1b#8\x1b#3", "");
    }

    #[test]
    fn what_cannot_be_put_back_cannot_be_changed() {
        // Tab stops, margins, key protocols, protected cells, rectangles, save of modes, colour by device string.
        prints("\x1bH\x1b[3g\x1b[?5W\x1b[?69h\x1b[1;5s\x1b[>1u\x1b[=1u\x1b[<u\x1b[>4;2m\x1b[1\"q", "");
        prints("\x1b[1;1;2;2$r\x1b[1;1;2;2$z\x1b[?1049s\x1b[?1049r\x1b[?1007h\x1b[?1034h\x1b[20h\x1b[2h", "");
        prints("\x1b[s\x1b[u", "\x1b7\x1b8");
    }

    #[test]
    fn a_full_reset_does_not_erase_the_scrollback() {
        let out = String::from_utf8(filtered(b"\x1b[?1049h\x1bc")).unwrap();
        assert!(!out.contains("\x1bc") && !out.contains("3J"));
        assert!(out.contains("\x1b[?1049l") && out.ends_with("\x1b[H\x1b[2J"));
    }

    #[test]
    fn line_drawing_is_translated_and_cannot_be_left_on() {
        prints("\x1b(0lqk\x1b(B lqk", "┌─┐ lqk");
        prints("\x1b)0\x0eqx\x0fqx", "─│qx");
        prints("\x1b(0\x1b7\x1b(B\x1b8q", "\x1b7\x1b8─");
        prints("\x1b(A#\x1b(Bx\x1b(Kq\x1bnq", "£xqq");
    }

    #[test]
    fn numbers_are_bounded() {
        prints("\x1b[65535A\x1b[99999999999B\x1b[1;70000H", "\x1b[9999A\x1b[9999B\x1b[1;9999H");
        prints("x\x1b[65535b", "x\x1b[1000b");
        prints(&format!("\x1b[{}m", "1;".repeat(40)), "");
        prints("\x1b[99999I", &"\t".repeat(125));
    }

    #[test]
    fn a_repetition_repeats_only_what_was_just_printed() {
        prints("-\x1b[9b\x1b[9b", "-\x1b[9b");
        prints("\n\x1b[9b\u{301}\x1b[5b", "\n\u{fffd}\x1b[5b");
        prints("a\u{301}\x1b[9b", "a\u{301}");
    }

    #[test]
    fn a_run_of_bells_is_one_bell_and_flow_control_is_dropped() {
        prints("a\x07\x07\x1b]0;\x07\x07b\x07", "a\x07b\x07");
        prints("a\x11\x13\x00\x05\x7fb", "ab");
        passes("a\x08\t\r\nb");
    }

    #[test]
    fn concealed_text_is_not_concealed_and_colours_stay() {
        prints("\x1b[8mhidden\x1b[0m", "hidden\x1b[0m");
        prints("\x1b[1;8;31m", "\x1b[1;31m");
        prints("\x1b[11m\x1b[10m", "");
        passes("\x1b[0;1;2;3;4;7;9;22;23;24;27;29;31;42;91;102;39;49m");
        passes("\x1b[38;5;208;48;2;1;2;3m");
        prints("\x1b[38:5:208;48:2::1:2:3m\x1b[48:2:1:2:3m", "\x1b[38;5;208;48;2;1;2;3m\x1b[48;2;1;2;3m");
        prints("\x1b[4:3;58:2::1:2:3;1m\x1b[58;5;9m", "\x1b[4:3m\x1b[58:2::1:2:3m\x1b[1m\x1b[58:5:9m");
        prints("\x1b[1;38;5;999;5m\x1b[38;7m\x1b[38;5m", "\x1b[1m");
        prints("\x1b[m", "\x1b[0m");
    }

    #[test]
    fn controls_within_sequences_come_before_them_and_cancelled_ones_vanish() {
        prints("\x1b[3\n1mx", "\n\x1b[31mx");
        prints("\x1b[31\x18mx", "mx");
        prints("\x1b[31\x1b[32mx", "\x1b[32mx");
        prints("\x1b[?1;2:3h\x1b[1:2H\x1b[<5m\x1b[1$@\x1b[  q", "");
    }
}

mod leaving {
    use super::*;

    /// Whatever was printed, after the reset a second terminal model is in its normal state.
    #[test]
    fn the_reset_undoes_everything_that_the_allow_list_admits() {
        let mut terminal = Terminal::new(Size::new(24, 80));
        let (mut out, mut replies) = (Vec::new(), Vec::new());
        let modes: String = PRIVATE_MODES
            .iter()
            .map(|mode| format!("\x1b[?{}{}", mode.number, if mode.normally_on { 'l' } else { 'h' }))
            .collect();
        terminal.feed(modes.as_bytes(), &mut out, &mut replies);
        terminal.feed(b"\x1b[3;9r\x1b[4h\x1b=\x1b[5 q\x1b[1;31;7mtext\x1b(0", &mut out, &mut replies);
        let end = out.len();
        terminal.leave(Departure::End, &mut out);
        let reset = String::from_utf8(out[end..].to_vec()).unwrap();
        for mode in PRIVATE_MODES {
            let back = format!("\x1b[?{}{}", mode.number, if mode.normally_on { 'h' } else { 'l' });
            assert_eq!(reset.matches(&back).count(), 1, "{back:?} in {reset:?}");
        }
        let mut owner = vt100::Parser::new(24.try_into().unwrap(), 80.try_into().unwrap(), 0);
        owner.process(&out);
        let screen = owner.screen();
        assert!(!screen.alternate_screen() && !screen.hide_cursor() && !screen.bracketed_paste());
        assert!(
            !screen.application_keypad()
                && !screen.application_cursor()
                && !screen.bold()
                && !screen.inverse()
        );
        assert_eq!(screen.mouse_protocol_mode(), vt100::MouseProtocolMode::None);
        assert_eq!(screen.mouse_protocol_encoding(), vt100::MouseProtocolEncoding::Default);
        assert_eq!(screen.fgcolor(), vt100::Color::Default);
        assert_eq!(screen.cursor_style(), vt100::CursorStyle::Default);
    }

    #[test]
    fn the_reset_erases_nothing_and_twice_is_once() {
        let (mut once, mut owner) = (Vec::new(), Screen::new(Size::new(24, 80)));
        reset(false, Departure::End, &mut once);
        owner.feed(b"$ cofferdam run\r\nhello");
        let before = (owner.contents(), owner.cursor());
        owner.feed(&once);
        assert_eq!((owner.contents(), owner.cursor()), before);
        owner.feed(&once);
        assert_eq!((owner.contents(), owner.cursor()), before);
    }

    #[test]
    fn the_alternate_screen_is_left_only_by_those_on_it() {
        for (input, left) in [
            (&b"\x1b[?1049h"[..], true),
            (b"\x1b[?47h", true),
            (b"\x1b[?1049h\x1b[?1047l", false),
            (b"", false),
        ] {
            let (mut terminal, mut out) = (Terminal::new(Size::new(24, 80)), Vec::new());
            terminal.feed(input, &mut Vec::new(), &mut Vec::new());
            terminal.leave(Departure::Detach, &mut out);
            assert_eq!(out.starts_with(b"\x1b[?1049l"), left);
            assert_eq!(out.ends_with(b"\r\n"), !left);
        }
    }

    #[test]
    fn a_string_cut_off_by_the_end_swallows_nothing_of_the_owners_shell() {
        for cut in ["\x1b]0;title", "\x1bPq", "\x1b[31", "\x1b", "\u{1f600}"] {
            let bytes = &cut.as_bytes()[..cut.len().max(2) - 1];
            let mut out = filtered(bytes);
            reset(false, Departure::End, &mut out);
            let mut owner = Screen::new(Size::new(24, 80));
            owner.feed(&out);
            owner.feed(b"$ ");
            assert_eq!(owner.contents().trim_end(), "$", "{cut:?}");
            assert_eq!(owner.cursor().column, 3);
        }
    }
}

mod attaching {
    use super::*;

    fn after(input: &[u8]) -> (Terminal, vt100::Parser) {
        let (mut terminal, mut out) = (Terminal::new(Size::new(24, 80)), Vec::new());
        terminal.feed(input, &mut Vec::new(), &mut Vec::new());
        terminal.repaint(&mut out);
        let mut owner = vt100::Parser::new(24.try_into().unwrap(), 80.try_into().unwrap(), 100);
        owner.process(b"$ cofferdam attach");
        owner.process(&out);
        (terminal, owner)
    }

    #[test]
    fn a_fresh_terminal_shows_the_same_screen_cursor_and_modes() {
        let (terminal, mut owner) = after(
            b"\x1b[?1049h\x1b[?1h\x1b=\x1b[?1002h\x1b[?1006h\x1b[?2004h\x1b[?25l\x1b[6 q\x1b[2;20r\x1b[H\x1b[7m title \x1b[m\r\n\xe6\x97\xa5 \x1b[31mred\x1b[20;10H\x1b[1m",
        );
        let screen = owner.screen();
        assert!(
            screen.alternate_screen() && screen.hide_cursor() && screen.bracketed_paste() && screen.bold()
        );
        assert!(screen.application_cursor() && screen.application_keypad());
        assert_eq!(screen.mouse_protocol_mode(), vt100::MouseProtocolMode::ButtonMotion);
        assert_eq!(screen.contents(), terminal.screen.contents());
        assert_eq!(screen.cursor_position(), (19, 9));
        owner.process(b"\n\n\n");
        assert_eq!(owner.screen().cursor_position().0, 19, "the scroll region holds");
    }

    #[test]
    fn what_the_owner_saw_before_is_scrolled_away_not_erased() {
        let (terminal, mut owner) = after(b"agent");
        assert_eq!(owner.screen().contents(), "agent");
        assert_eq!(terminal.screen.contents(), "agent");
        owner.screen_mut().set_scrollback(100);
        assert!(owner.screen().contents().contains("$ cofferdam attach"));
    }

    #[test]
    fn a_replacement_character_takes_its_column_in_the_model() {
        let (terminal, _) = after("a\u{202e}b".as_bytes());
        assert_eq!(terminal.screen.cursor().column, 4);
    }
}

mod pipes {
    use super::*;

    #[test]
    fn a_pipe_gets_text_and_colours_only() {
        let input = b"a\x1b[1;31mb\x1b[m\r\n\t\x08\x07\x1b[2J\x1b[H\x1b[5A\x1b[?1049h\x1b[?25l\x1b7\x1bM\x1bc\x1b(0q\x0eq\x1b]0;t\x07\x1b[6n\x0b";
        assert_eq!(piped(input), b"a\x1b[1;31mb\x1b[0m\r\n\t\x08\x07qq");
        assert_eq!(piped("größe\u{202e}".as_bytes()), "größe\u{fffd}".as_bytes());
    }
}

mod programs {
    //! What well-known kinds of programs print, written by hand after their habits: same screen with and without us.

    use super::*;

    #[track_caller]
    fn looks_the_same(input: &[u8]) {
        let mut plain = vt100::Parser::new(24.try_into().unwrap(), 80.try_into().unwrap(), 0);
        plain.process(input);
        let mut through = vt100::Parser::new(24.try_into().unwrap(), 80.try_into().unwrap(), 0);
        through.process(&filtered(input));
        assert_eq!(plain.screen().contents_formatted(), through.screen().contents_formatted());
        assert_eq!(plain.screen().input_mode_formatted(), through.screen().input_mode_formatted());
        assert_eq!(plain.screen().alternate_screen(), through.screen().alternate_screen());
    }

    #[test]
    fn an_editor() {
        looks_the_same(
            b"\x1b[?1049h\x1b[22;0;0t\x1b[>4;2m\x1b[?1h\x1b=\x1b[?2004h\x1b[?1004h\x1b[1;24r\x1b[?12h\x1b[?12l\x1b[22;2t\x1b[22;1t\
              \x1b[27m\x1b[23m\x1b[29m\x1b[m\x1b[H\x1b[2J\x1b[?25l\x1b[24;1H\"main.rs\" 12L, 120B\x1b[2;1H\xe2\x96\xbd\x1b[6n\
              \x1b[2;1H  \x1b[1;1H\x1b[38;5;130m  1 \x1b[m\x1b[38;5;81mfn\x1b[m main() {}\x1b[1;5H\x1b[?25h\x1b[1;23r\x1b[1;1H\x1b[2M\x1b[1;24r",
        );
    }

    #[test]
    fn a_pager_and_a_monitor() {
        looks_the_same(b"\x1b[?1049h\x1b[22;0;0t\x1b[?1h\x1b=\rline 1\x1b[m\r\nline 2\x1b[m\r\n\x1b[7m(END)\x1b[27m\x1b[K\r\x1b[K\x1bMabove\r\x1b[?1l\x1b>\x1b[?1049l\x1b[23;0;0t");
        looks_the_same(b"\x1b[?1000h\x1b[?1006h\x1b[H\x1b[J\x1b[30m\x1b[46m  PID USER\x1b[K\r\n\x1b[39;49m\x1b[32m\xe2\x96\x88\xe2\x96\x88\x1b[90m\xe2\x96\x91\x1b[m 42.0%\x1b[5;1H-\x1b[20b\x1b[5X");
    }

    #[test]
    fn an_agents_own_screen() {
        looks_the_same(
            b"\x1b[?2004h\x1b[?1004h\x1b[?25l\x1b[?2026h\xe2\x95\xad\xe2\x94\x80\xe2\x94\x80\xe2\x95\xae\r\n\xe2\x94\x82 \x1b[38;2;215;119;87m\xe2\x9c\xbb\x1b[39m Working\x1b[2m (esc)\x1b[22m\xe2\x94\x82\r\n\
              \xe2\x95\xb0\xe2\x94\x80\xe2\x94\x80\xe2\x95\xaf\r\n\x1b[?2026l\x1b[2K\x1b[1A\x1b[2K\x1b[1A\x1b[2K\x1b[G> \x1b[7m \x1b[27m\x1b]0;task\x07",
        );
    }
}
