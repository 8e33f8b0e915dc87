use expect_test::{Expect, expect};

use super::language::ROWS;
use super::*;
use crate::workspace::Interrupt;

/// The outline of a text, a line for each definition.
fn outline(path: &str, text: &str) -> String {
    definitions(path, text)
        .iter()
        .map(|definition| {
            let (first, last) = (definition.lines.start(), definition.lines.end());
            let indent = "  ".repeat(definition.depth);
            format!("{indent}{} {} {first}-{last}\n", definition.kind.word(), definition.name)
        })
        .collect()
}

#[expect(clippy::needless_pass_by_value, reason = "it reads like expect-test's own")]
fn check(path: &str, text: &str, expected: Expect) {
    assert_eq!(syntax_faults(path, text, &Interrupt::never()).unwrap_or_default(), [], "the sample of {path} parses");
    expected.assert_eq(&outline(path, text));
}

#[test]
fn each_language_has_a_query_for_its_grammar_that_names_kinds() {
    for row in &ROWS {
        let grammar = row.grammar().unwrap_or_else(|| panic!("the query of {} is not one for its grammar", row.name));
        let abi = grammar.language.abi_version();
        assert!((tree_sitter::MIN_COMPATIBLE_LANGUAGE_VERSION..=tree_sitter::LANGUAGE_VERSION).contains(&abi));
        for (name, kind) in grammar.query.capture_names().iter().zip(&grammar.kinds) {
            let is_known = kind.is_some() || ["name", "trait", "container"].contains(name);
            assert!(is_known, "{}: @{name} says nothing", row.name);
        }
    }
}

#[test]
fn rust() {
    check(
        "src/a.rs",
        "\
//! Docs.
const A: usize = 1;
pub struct Point<T> {
    x: T,
}
impl<T> Point<T> {
    fn new(x: T) -> Self {
        const INNER: u8 = 1;
        fn helper() {}
        Self { x }
    }
}
impl<T> std::fmt::Display for Point<T> {
    fn fmt(&self) {}
}
trait Shape {
    fn area(&self) -> f64;
}
mod inner {
    pub enum E { A, B }
    type T = u8;
}
mod elsewhere;
macro_rules! m { () => {} }
",
        expect![[r#"
            constant A 2-2
            struct Point 3-5
            impl Point<T> 6-12
              method new 7-11
                function helper 9-9
            impl std::fmt::Display for Point<T> 13-15
              method fmt 14-14
            trait Shape 16-18
              method area 17-17
            module inner 19-22
              enum E 20-20
              type T 21-21
            macro m 24-24
        "#]],
    );
}

#[test]
fn python() {
    check(
        "a.py",
        "\
import os
LIMIT = 3

@dataclass
class A(Base):
    x: int = 1

    @property
    def value(self):
        y = 1
        def inner():
            pass
        return inner

async def main():
    pass
",
        expect![[r#"
            constant LIMIT 2-2
            class A 4-13
              method value 8-13
                function inner 11-12
            function main 15-16
        "#]],
    );
}

#[test]
fn javascript() {
    check(
        "a.jsx",
        "\
import x from 'x';
export const LIMIT = 1;
export function App({ a }) {
  const inner = () => <p>{a}</p>;
  const value = 3;
  return inner();
}
const arrow = async (a) => {
  return a;
};
class A extends B {
  constructor() { super(); }
  get name() { return 1; }
  handler = () => {};
}
module.exports.run = function () {};
export default { methods: { save: () => {}, load() {} } };
function* steps() {}
",
        expect![[r#"
            constant LIMIT 2-2
            function App 3-7
              function inner 4-4
            function arrow 8-10
            class A 11-15
              method constructor 12-12
              method name 13-13
              method handler 14-14
            function run 16-16
            function save 17-17
            method load 17-17
            function steps 18-18
        "#]],
    );
}

#[test]
fn typescript_and_tsx() {
    check(
        "a.ts",
        "\
export interface Shape { area(): number; name: string }
export type Id = string | number;
enum Color { Red }
namespace Inner { export function f(): void {} }
abstract class A<T> implements Shape {
  private x = () => 1;
  abstract area(): number;
  constructor(private a: T) {}
  async run(): Promise<void> { const f = () => {}; }
}
export const make = (a: number): Shape => ({ area: () => a, name: '' });
declare function g(a: string): void;
",
        expect![[r#"
            interface Shape 1-1
              method area 1-1
            type Id 2-2
            enum Color 3-3
            module Inner 4-4
              function f 4-4
            class A 5-10
              method x 6-6
              method area 7-7
              method constructor 8-8
              method run 9-9
                function f 9-9
            function make 11-11
              function area 11-11
            function g 12-12
        "#]],
    );
    check(
        "a.tsx",
        "export const App: FC<Props> = ({ a }) => {\n  return <b>{a}</b>;\n};\n",
        expect![[r#"
            function App 1-3
        "#]],
    );
}

#[test]
fn go() {
    check(
        "a.go",
        "\
package a

const Limit = 1

var (
	first = 1
	second = 2
)

type Point struct {
	X int
}

type Shape interface {
	Area() float64
}

type ID = string
type List[T any] []T

func (p *Point) Move(dx int) {
	local := 1
	_ = local
}

func (l List[T]) Len() int { return len(l) }

func New() *Point { return &Point{} }
",
        expect![[r#"
            constant Limit 3-3
            variable first 6-6
            variable second 7-7
            struct Point 10-12
            interface Shape 14-16
            type ID 18-18
            type List 19-19
            method Point.Move 21-24
            method List.Len 26-26
            function New 28-28
        "#]],
    );
}

#[test]
fn java() {
    check(
        "A.java",
        "\
package a;

@Deprecated
public class A<T> extends B implements C {
    private int x;
    public A() {}
    @Override
    public String toString() { return \"\"; }
    enum Color { RED }
    interface Shape { double area(); }
    record Point(int x, int y) { Point { } }
}
",
        expect![[r#"
            class A 3-12
              constructor A 6-6
              method toString 7-8
              enum Color 9-9
              interface Shape 10-10
                method area 10-10
              class Point 11-11
                constructor Point 11-11
        "#]],
    );
}

#[test]
fn c() {
    check(
        "a.c",
        "\
#include <stdio.h>
#define LIMIT 10
#define MAX(a, b) ((a) > (b) ? (a) : (b))
typedef struct node { int x; } node_t;
enum color { RED };
union u { int a; };
static int helper(int a);
static char *name(struct node *n)
{
    struct inner { int y; };
    return 0;
}
int main(int argc, char **argv) { return helper(1); }
",
        expect![[r#"
            macro LIMIT 2-2
            macro MAX 3-3
            type node_t 4-4
              struct node 4-4
            enum color 5-5
            union u 6-6
            declaration helper 7-7
            function name 8-12
              struct inner 10-10
            function main 13-13
        "#]],
    );
}

#[test]
fn cpp() {
    check(
        "a.cpp",
        "\
namespace a {
template <typename T>
class Point : public Base {
 public:
  Point();
  ~Point() {}
  T x() const { return x_; }
  Point& operator=(const Point& other);
 private:
  T x_;
};
using Id = int;
enum class Color { kRed };
}
template <typename T>
T& Point<T>::move(int dx) {
  auto f = [](int a) { return a; };
  return *this;
}
int a::Other::run() { return 1; }
",
        expect![[r#"
            module a 1-14
              class Point 2-11
                declaration Point 5-5
                method ~Point 6-6
                method x 7-7
              type Id 12-12
              enum Color 13-13
            function Point<T>::move 15-19
            function a::Other::run 20-20
        "#]],
    );
    assert_eq!(language_name("a.h", "#pragma once\nint f(void);\n"), Some("C"));
    assert_eq!(language_name("a.h", "#pragma once\nnamespace a {\n}\n"), Some("C++"));
}

#[test]
fn ruby() {
    check(
        "a.rb",
        "\
module A
  LIMIT = 1
  class Point < Base
    attr_reader :x
    def initialize(x)
      @x = x
    end
    def self.make = new(1)
  end
end
def top
end
",
        expect![[r#"
            module A 1-10
              constant LIMIT 2-2
              class Point 3-9
                method initialize 5-7
                method make 8-8
            function top 11-12
        "#]],
    );
}

#[test]
fn php() {
    check(
        "a.php",
        "\
<?php
namespace A;
const LIMIT = 1;
interface Shape { public function area(): float; }
trait T { function helper() {} }
final class Point implements Shape {
    const X = 1;
    public function __construct(private int $x) {}
    public function area(): float { return 1.0; }
}
enum Color: string { case Red = 'r'; }
function run() { $f = function () {}; }
",
        expect![[r#"
            constant LIMIT 3-3
            interface Shape 4-4
              method area 4-4
            trait T 5-5
              method helper 5-5
            class Point 6-10
              constant X 7-7
              method __construct 8-8
              method area 9-9
            enum Color 11-11
            function run 12-12
        "#]],
    );
}

#[test]
fn bash_also_without_an_extension() {
    let text = "#!/usr/bin/env bash\nset -e\nLIMIT=1\nexport OTHER=2\nrun() {\n  local x=1\n  echo hi\n}\nfunction other {\n  :\n}\n";
    check(
        "bin/run",
        text,
        expect![[r#"
        variable LIMIT 3-3
        variable OTHER 4-4
        function run 5-8
        function other 9-11
    "#]],
    );
    assert_eq!(outline("a.sh", text), outline("bin/run", text));
    assert_eq!(language_name("run", "#!/usr/bin/python3 -u\n"), Some("Python"));
    assert_eq!(language_name("run", "#!/usr/bin/env -S X=1 node\n"), Some("JavaScript"));
    for (path, text) in [("LICENSE", "MIT\n"), (".bashrc", "#!/bin/bash\n"), ("a.unknown", "#!/bin/sh\n"), ("", "#!")] {
        assert_eq!(language_name(path, text), None, "{path}");
    }
}

#[test]
fn lua() {
    check(
        "a.lua",
        "\
local M = {}
function M.setup(opts)
  local x = 1
end
function M:run() end
local function helper() end
M.other = function() end
return { handler = function() end }
",
        expect![[r#"
            variable M 1-1
            function M.setup 2-4
            function M:run 5-5
            function helper 6-6
            function M.other 7-7
            function handler 8-8
        "#]],
    );
}

#[cfg(feature = "more-languages")]
#[test]
fn csharp() {
    check(
        "A.cs",
        "\
using System;
namespace A
{
    public interface IShape { double Area(); }
    public record Point(int X);
    [Serializable]
    public class B<T> : IShape where T : class
    {
        private int x = 1;
        public int X { get; set; }
        public B() { }
        double IShape.Area()
        {
            int Local() => 1;
            return Local();
        }
        enum Color { Red }
    }
    struct S { }
    delegate void Handler(object sender);
}
",
        expect![[r#"
            module A 2-21
              interface IShape 4-4
                method Area 4-4
              class Point 5-5
              class B 6-18
                property X 10-10
                constructor B 11-11
                method Area 12-16
                  function Local 14-14
                enum Color 17-17
              struct S 19-19
              type Handler 20-20
        "#]],
    );
}

#[cfg(feature = "more-languages")]
#[test]
fn swift() {
    check(
        "a.swift",
        "\
protocol Shape {
    associatedtype Unit
    func area() -> Double
}
let limit = 3
struct Point: Shape {
    typealias Unit = Int
    let x: Int
    init(x: Int) { self.x = x }
    var twice: Int { return x * 2 }
    func area() -> Double { let y = 1; return 1 }
    static func == (a: Point, b: Point) -> Bool { return true }
    subscript(index: Int) -> Int { return index }
}
indirect enum Tree { case leaf }
extension Point {
    func move() {}
}
actor Store {}
class A<T> {
    deinit {}
}
public func run(by name: String) {
    func inner() {}
}
",
        expect![[r#"
            interface Shape 1-4
              type Unit 2-2
              method area 3-3
            constant limit 5-5
            struct Point 6-14
              type Unit 7-7
              constructor init 9-9
              property twice 10-10
              method area 11-11
              method == 12-12
              method subscript 13-13
            enum Tree 15-15
            impl Point 16-18
              method move 17-17
            class Store 19-19
            class A 20-22
              method deinit 21-21
            function run 23-25
              function inner 24-24
        "#]],
    );
}

#[cfg(feature = "more-languages")]
#[test]
fn scala() {
    check(
        "A.scala",
        "\
package a
trait Shape { def area: Double }
case class Point(x: Int) extends Shape {
  val limit = 1
  var count = 0
  def area: Double = { val y = 1; y }
}
object Main {
  type Id = String
  val total = { val inner = 1; inner }
  def main(args: Array[String]): Unit = {
    def helper() = 1
  }
}
",
        expect![[r#"
            trait Shape 2-2
              method area 2-2
            class Point 3-7
              constant limit 4-4
              variable count 5-5
              method area 6-6
            class Main 8-14
              type Id 9-9
              constant total 10-10
              method main 11-13
                function helper 12-12
        "#]],
    );
}

#[cfg(feature = "more-languages")]
#[test]
fn scala_by_indentation() {
    check(
        "a.scala",
        "\
enum Color:
  case Red, Green

val Limit = 3

class Point(x: Int):
  def area: Double =
    val y = 1
    y

  def other = 2

given ordering: Ordering[Point] with
  def compare(a: Point, b: Point) = 0

extension (p: Point)
  def move(dx: Int) = p

def run() = 1
",
        expect![[r#"
            enum Color 1-2
            constant Limit 4-4
            class Point 6-11
              method area 7-9
              method other 11-11
            constant ordering 13-14
              function compare 14-14
            function move 17-17
            function run 19-19
        "#]],
    );
}

#[cfg(feature = "more-languages")]
#[test]
fn kotlin() {
    check(
        "a.kt",
        "\
package a
const val LIMIT = 3
var count = 0
interface Shape { fun area(): Double }
data class Point(val x: Int) : Shape {
    val limit = 1
    constructor() : this(0) { val z = 1 }
    override fun area(): Double { val y = 1; return 1.0 }
    companion object {
        fun make() = Point(1)
    }
}
enum class Color { RED, GREEN }
object Main
fun String.run() {
    fun inner() {}
}
typealias Id = String
",
        expect![[r#"
            constant LIMIT 2-2
            variable count 3-3
            interface Shape 4-4
              method area 4-4
            class Point 5-12
              property limit 6-6
              constructor constructor 7-7
              method area 8-8
              class companion 9-11
                method make 10-10
            enum Color 13-13
            class Main 14-14
            function run 15-17
              function inner 16-16
            type Id 18-18
        "#]],
    );
}

#[test]
fn markdown_has_its_headings_but_none_in_code() {
    check(
        "README.md",
        "# Title\n\ntext\n\n## One ##\n\n```sh\n# not one\n```\n\n### Deep\nx\n## Two\n#not one\n",
        expect![[r#"
            heading Title 1-14
              heading One 5-12
                heading Deep 11-12
              heading Two 13-14
        "#]],
    );
}

#[test]
fn a_text_that_does_not_parse_has_its_faults_and_still_an_outline() {
    let faults = |path, text| syntax_faults(path, text, &Interrupt::never());
    let text = "fn a() {\n    let x = 1\n    let y = 2;\n}\n\nfn b() {}\n";
    let told: Vec<_> = faults("a.rs", text).unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(told, ["line 2: ; is missing"]);
    assert_eq!(outline("a.rs", text), "function a 1-4\nfunction b 6-6\n");
    let told: Vec<_> = faults("a.py", "def a(:\n    pass\n").unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(!faults("a.rs", "fn a() {\n").unwrap().is_empty());
    assert_eq!(faults("a.rs", ""), Some(Vec::new()));
    assert_eq!(faults("a.txt", "("), None);
    assert_eq!(faults("a.md", "# x"), None);
}

#[test]
fn large_deep_and_odd_texts_end_within_the_limits() {
    let never = Interrupt::never();
    assert_eq!(read("a.rs", &" ".repeat(MOST_BYTES + 1), &never), Err(NoOutline::Size));
    assert_eq!(read("a.txt", "x", &never), Err(NoOutline::Language));
    let stopped = Interrupt::never();
    stopped.stop();
    let long = "fn f() { x(); }\n".repeat(20_000);
    assert!(matches!(read("a.rs", &long, &stopped), Err(NoOutline::Interrupted(_))));
    for row in &ROWS {
        let path = format!("a.{}", row.extension());
        for text in ["(", "{", "[", "<", "\"", "a(", "if (", "x{y(", "/*", "\0", "\u{feff}é", "class A { "] {
            let deep = text.repeat(2_000 / text.len());
            match read(&path, &deep, &never) {
                Ok(outline) => {
                    let lines = deep.lines().count();
                    assert!(outline.definitions.iter().all(|found| *found.lines.end() <= lines), "{path} {text:?}");
                }
                Err(fault) => assert_eq!(fault, NoOutline::Time, "{path} {text:?}"),
            }
            let _ = syntax_faults(&path, &deep, &never);
        }
    }
}
