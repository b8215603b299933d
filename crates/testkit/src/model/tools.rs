//! The tools that an agent offers, found by name, and calls of them put together by their schemas.
//!
//! It knows the shapes of the tools that agent programs really offer. A tool that it does not know is not called.

use serde_json::{Map, Value, json};

use super::Act;

const SHELLS: [&str; 7] =
    ["bash", "shell", "shell_command", "exec_command", "local_shell", "run_shell_command", "run_command"];
const READERS: [&str; 2] = ["read", "read_file"];
const WRITERS: [&str; 2] = ["write", "write_file"];
const EDITORS: [&str; 2] = ["edit", "replace"];
const PATCHERS: [&str; 1] = ["apply_patch"];

const PATHS: [&str; 4] = ["file_path", "filePath", "path", "absolute_path"];
const OLD: [&str; 3] = ["old_string", "oldString", "oldText"];
const NEW: [&str; 3] = ["new_string", "newString", "newText"];

/// What the ids of our calls begin with; every protocol takes it.
const ID_PREFIX: &str = "call_turn";

/// A tool that takes a script, in which the agent's other tools are functions.
const SCRIPTED: [&str; 1] = ["exec"];

/// A call of a tool.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) id: String,
    pub(super) namespace: Option<String>,
    pub(super) tool: String,
    pub(super) input: Input,
}

#[derive(Debug)]
pub(super) enum Input {
    /// An object by the tool's schema.
    Object(Value),
    /// Text by the tool's grammar.
    Free(String),
}

#[derive(Debug)]
pub(super) struct Tools(Vec<Tool>);

#[derive(Debug)]
struct Tool {
    name: String,
    namespace: Option<String>,
    /// The properties of its schema; none where it takes free text.
    properties: Option<Map<String, Value>>,
    required: Vec<String>,
}

impl Tools {
    /// The `tools` of a request of any protocol, those that its items bring included.
    pub(super) fn of(asked: &Value) -> Self {
        let items = asked.get("input").and_then(Value::as_array).into_iter().flatten();
        let mut tools = Self(Vec::new());
        for place in std::iter::once(asked).chain(items) {
            tools.add(place.get("tools"), None);
        }
        tools
    }

    fn add(&mut self, list: Option<&Value>, namespace: Option<&str>) {
        for offered in list.and_then(Value::as_array).into_iter().flatten() {
            let declared =
                offered.get("functionDeclarations").or_else(|| offered.get("function_declarations"));
            if let Some(declared) = declared {
                self.add(Some(declared), None);
            } else if let Some(inner) = offered.get("tools") {
                self.add(Some(inner), offered.get("name").and_then(Value::as_str));
            } else {
                self.0.extend(Tool::of(offered.get("function").unwrap_or(offered), namespace));
            }
        }
    }

    pub(super) fn can_act(&self) -> bool {
        self.named(&SHELLS).or(self.named(&SCRIPTED)).is_some()
    }

    fn named(&self, names: &[&str]) -> Option<&Tool> {
        let is = |tool: &&Tool| names.iter().any(|name| tool.name.eq_ignore_ascii_case(name));
        self.0.iter().find(is)
    }

    /// The call that does `act`; what there is no tool for is done by the shell.
    pub(super) fn call(&self, act: &Act, turn: usize, number: usize) -> Call {
        let id = format!("{ID_PREFIX}{turn:03}n{number:02}");
        let (tool, input) = self.as_asked(act).unwrap_or_else(|| self.by_shell(act));
        let namespace = self.named(&[&tool]).and_then(|tool| tool.namespace.clone());
        Call { id, namespace, tool, input }
    }

    fn as_asked(&self, act: &Act) -> Option<(String, Input)> {
        match act {
            Act::Shell(_) => None,
            Act::Tool { name, input } => Some((name.clone(), Input::Object(input.clone()))),
            Act::Read { path } => {
                let tool = self.named(&READERS)?;
                Some((tool.name.clone(), tool.object(&[(&PATHS, path)])))
            }
            Act::Write { path, text } => {
                let Some(tool) = self.named(&WRITERS) else {
                    let lines: String = text.lines().map(|line| format!("+{line}\n")).collect();
                    return self.patch(&format!("*** Add File: {path}\n{lines}"));
                };
                Some((tool.name.clone(), tool.object(&[(&PATHS, path), (&["content"], text)])))
            }
            Act::Edit { path, old, new } => {
                let Some(tool) = self.named(&EDITORS) else {
                    return self.patch(&format!("*** Update File: {path}\n@@\n-{old}\n+{new}\n"));
                };
                let list =
                    tool.properties.as_ref().is_some_and(|properties| properties.contains_key("edits"));
                let input = if list {
                    Input::Object(json!({"path": path, "edits": [{"oldText": old, "newText": new}]}))
                } else {
                    tool.object(&[(&PATHS, path), (&OLD, old), (&NEW, new)])
                };
                Some((tool.name.clone(), input))
            }
        }
    }

    fn patch(&self, hunks: &str) -> Option<(String, Input)> {
        let tool = self.named(&PATCHERS)?;
        let patch = format!("*** Begin Patch\n{hunks}*** End Patch");
        let input = match &tool.properties {
            None => Input::Free(patch),
            Some(_) => tool.object(&[(&["input", "patch", "patchText"], &patch)]),
        };
        Some((tool.name.clone(), input))
    }

    fn by_shell(&self, act: &Act) -> (String, Input) {
        let command = match act {
            Act::Shell(command) => command.clone(),
            Act::Tool { name, .. } => format!("echo there is no {name}; false"),
            Act::Read { path } => format!("cat '{path}'"),
            Act::Write { path, text } => {
                format!("cat > '{path}' <<'END-OF-FILE'\n{}\nEND-OF-FILE", text.trim_end_matches('\n'))
            }
            Act::Edit { path, old, new } => format!("sed -i 's|^{old}$|{new}|' '{path}'"),
        };
        let Some(tool) = self.named(&SHELLS) else {
            let name = SCRIPTED.first().copied().unwrap_or_default().to_owned();
            return (
                name,
                Input::Free(format!("text(await tools.exec_command({}))", json!({"cmd": command}))),
            );
        };
        let takes_list = |properties: &Map<String, Value>| {
            properties.get("command").and_then(|command| command.get("type")) == Some(&json!("array"))
        };
        let input = if tool.properties.as_ref().is_some_and(takes_list) {
            Input::Object(json!({"command": ["bash", "-lc", command]}))
        } else {
            tool.object(&[(&["command", "cmd"], &command)])
        };
        (tool.name.clone(), input)
    }
}

impl Tool {
    fn of(offered: &Value, namespace: Option<&str>) -> Option<Self> {
        let name = offered.get("name")?.as_str()?.to_owned();
        let schemas = ["input_schema", "parameters", "parametersJsonSchema"];
        let schema = schemas.iter().find_map(|key| offered.get(*key));
        let properties = schema.map(|schema| schema.get("properties").and_then(Value::as_object));
        let properties = properties.map(|properties| properties.cloned().unwrap_or_default());
        let required = schema.and_then(|schema| schema.get("required")).and_then(Value::as_array);
        let required = required.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned);
        Some(Self { name, namespace: namespace.map(str::to_owned), properties, required: required.collect() })
    }

    /// An input with each value under the first of its keys that the schema has, and a word for what else is required.
    fn object(&self, values: &[(&[&str], &str)]) -> Input {
        let mut input = Map::new();
        let known = self.properties.as_ref();
        for (keys, value) in values {
            let key = keys.iter().find(|key| known.is_some_and(|known| known.contains_key(**key)));
            let key = key.or_else(|| keys.first()).copied().unwrap_or_default();
            input.insert(key.to_owned(), json!(value));
        }
        for key in &self.required {
            input.entry(key.clone()).or_insert_with(|| json!("scripted"));
        }
        Input::Object(Value::Object(input))
    }
}

/// How many turns with calls a conversation holds already, from the ids of our calls in it.
pub(super) fn turns_done(conversation: &str) -> usize {
    let turns = conversation.split(ID_PREFIX).skip(1).filter_map(|rest| rest.get(..3)?.parse::<usize>().ok());
    turns.max().map_or(0, |last| last + 1)
}

impl Input {
    /// As an object, for protocols that have nothing else.
    pub(super) fn object(&self) -> Value {
        match self {
            Self::Object(value) => value.clone(),
            Self::Free(text) => json!({"input": text}),
        }
    }
}
