//! The languages, as data: how comments and strings begin and end, which words are the language's own.
//!
//! A language is told by the file's name, else by its first line; what is unknown stays without colours.

/// A language, or a family of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Language {
    Rust,
    Python,
    Script,
    C,
    Go,
    Shell,
    Settings,
    Json,
    Markdown,
    Unknown,
}

/// How it is written.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Style {
    pub(super) line_comments: &'static [&'static str],
    pub(super) block_comment: Option<(&'static str, &'static str)>,
    pub(super) nested: bool,
    pub(super) quotes: &'static [u8],
    /// Those that may go on in the next line.
    pub(super) long_quotes: &'static [u8],
    pub(super) tripled: bool,
    pub(super) escapes: bool,
    pub(super) lifetimes: bool,
    pub(super) headings: bool,
    /// Names before `:` or `=` are coloured.
    pub(super) keys: bool,
    /// Words with a capital are coloured.
    pub(super) types: bool,
    pub(super) keywords: &'static [&'static str],
}

const BY_EXTENSION: &[(&str, Language)] = &[
    ("rs", Language::Rust),
    ("py", Language::Python),
    ("pyi", Language::Python),
    ("js", Language::Script),
    ("mjs", Language::Script),
    ("cjs", Language::Script),
    ("jsx", Language::Script),
    ("ts", Language::Script),
    ("mts", Language::Script),
    ("tsx", Language::Script),
    ("c", Language::C),
    ("h", Language::C),
    ("cc", Language::C),
    ("cpp", Language::C),
    ("hpp", Language::C),
    ("java", Language::C),
    ("kt", Language::C),
    ("cs", Language::C),
    ("swift", Language::C),
    ("go", Language::Go),
    ("sh", Language::Shell),
    ("bash", Language::Shell),
    ("zsh", Language::Shell),
    ("fish", Language::Shell),
    ("toml", Language::Settings),
    ("yml", Language::Settings),
    ("yaml", Language::Settings),
    ("ini", Language::Settings),
    ("cfg", Language::Settings),
    ("conf", Language::Settings),
    ("lock", Language::Settings),
    ("json", Language::Json),
    ("jsonc", Language::Json),
    ("md", Language::Markdown),
    ("markdown", Language::Markdown),
];

impl Language {
    /// By the file's name, else by its first line.
    pub(in super::super) fn of(path: &[u8], text: &[u8]) -> Self {
        let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        let extension = name.iter().rposition(|byte| *byte == b'.').and_then(|at| name.get(at + 1..));
        let known = BY_EXTENSION.iter().find(|(ending, _)| extension == Some(ending.as_bytes()));
        if let Some((_, language)) = known {
            return *language;
        }
        let first = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let first = first.get(..first.len().min(80)).unwrap_or_default();
        let names =
            |word: &[u8]| first.starts_with(b"#!") && first.windows(word.len()).any(|part| part == word);
        if names(b"python") {
            Self::Python
        } else if names(b"node") {
            Self::Script
        } else if first.starts_with(b"#!")
            || matches!(name, b"Makefile" | b"Dockerfile" | b".envrc" | b".env")
        {
            Self::Shell
        } else if name.starts_with(b".") {
            Self::Settings
        } else {
            Self::Unknown
        }
    }

    pub(super) fn style(self) -> Style {
        let slashes = Style {
            line_comments: &["//"],
            block_comment: Some(("/*", "*/")),
            quotes: b"\"'",
            escapes: true,
            types: true,
            ..Style::default()
        };
        let hashes = Style { line_comments: &["#"], quotes: b"\"'", escapes: true, ..Style::default() };
        match self {
            Self::Rust => {
                Style { nested: true, long_quotes: b"\"", lifetimes: true, keywords: RUST, ..slashes }
            }
            Self::Script => Style { quotes: b"\"'`", long_quotes: b"`", keywords: SCRIPT, ..slashes },
            Self::C => Style { keywords: C, ..slashes },
            Self::Go => Style { quotes: b"\"'`", long_quotes: b"`", keywords: GO, ..slashes },
            Self::Python => Style { tripled: true, types: true, keywords: PYTHON, ..hashes },
            Self::Shell => Style { long_quotes: b"\"'", keywords: SHELL, ..hashes },
            Self::Settings => {
                Style { keys: true, keywords: &["true", "false", "null", "yes", "no"], ..hashes }
            }
            Self::Json => Style {
                quotes: b"\"",
                escapes: true,
                keys: true,
                keywords: &["true", "false", "null"],
                ..Style::default()
            },
            Self::Markdown => Style {
                quotes: b"`",
                headings: true,
                block_comment: Some(("<!--", "-->")),
                ..Style::default()
            },
            Self::Unknown => Style::default(),
        }
    }
}

const RUST: &[&str] = &[
    "as", "async", "await", "break", "const", "continue", "crate", "dyn", "else", "enum", "extern", "false",
    "fn", "for", "if", "impl", "in", "let", "loop", "match", "mod", "move", "mut", "pub", "ref", "return",
    "self", "Self", "static", "struct", "super", "trait", "true", "type", "unsafe", "use", "where", "while",
];
const PYTHON: &[&str] = &[
    "False", "None", "True", "and", "as", "assert", "async", "await", "break", "case", "class", "continue",
    "def", "del", "elif", "else", "except", "finally", "for", "from", "global", "if", "import", "in", "is",
    "lambda", "match", "nonlocal", "not", "or", "pass", "raise", "return", "self", "try", "while", "with",
    "yield",
];
const SCRIPT: &[&str] = &[
    "as",
    "async",
    "await",
    "break",
    "case",
    "catch",
    "class",
    "const",
    "continue",
    "default",
    "delete",
    "do",
    "else",
    "enum",
    "export",
    "extends",
    "false",
    "finally",
    "for",
    "from",
    "function",
    "if",
    "implements",
    "import",
    "in",
    "instanceof",
    "interface",
    "let",
    "new",
    "null",
    "of",
    "private",
    "public",
    "readonly",
    "return",
    "static",
    "super",
    "switch",
    "this",
    "throw",
    "true",
    "try",
    "type",
    "typeof",
    "undefined",
    "var",
    "void",
    "while",
    "yield",
];
const C: &[&str] = &[
    "abstract",
    "auto",
    "bool",
    "break",
    "case",
    "catch",
    "char",
    "class",
    "const",
    "constexpr",
    "continue",
    "default",
    "delete",
    "do",
    "double",
    "else",
    "enum",
    "extends",
    "extern",
    "false",
    "final",
    "float",
    "for",
    "fun",
    "func",
    "goto",
    "if",
    "implements",
    "import",
    "inline",
    "int",
    "interface",
    "let",
    "long",
    "namespace",
    "new",
    "null",
    "nullptr",
    "override",
    "package",
    "private",
    "protected",
    "public",
    "return",
    "short",
    "signed",
    "sizeof",
    "static",
    "struct",
    "switch",
    "template",
    "this",
    "throw",
    "true",
    "try",
    "typedef",
    "typename",
    "union",
    "unsigned",
    "using",
    "val",
    "var",
    "virtual",
    "void",
    "volatile",
    "while",
];
const GO: &[&str] = &[
    "break",
    "case",
    "chan",
    "const",
    "continue",
    "default",
    "defer",
    "else",
    "fallthrough",
    "false",
    "for",
    "func",
    "go",
    "goto",
    "if",
    "import",
    "interface",
    "map",
    "nil",
    "package",
    "range",
    "return",
    "select",
    "struct",
    "switch",
    "true",
    "type",
    "var",
];
const SHELL: &[&str] = &[
    "case",
    "do",
    "done",
    "elif",
    "else",
    "esac",
    "eval",
    "exec",
    "exit",
    "export",
    "fi",
    "for",
    "function",
    "if",
    "in",
    "local",
    "return",
    "set",
    "source",
    "then",
    "trap",
    "unset",
    "until",
    "while",
    "FROM",
    "RUN",
    "COPY",
    "ENTRYPOINT",
    "CMD",
    "ENV",
];
