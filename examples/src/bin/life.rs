//! Conway's game of life, a thread a cell: fan-out and fan-in by channels.
//!
//! For each generation the main thread sends the board to all 288 cells, each over its own channel
//! (fan-out); each sends back over one common channel whether it lives on (fan-in).
//!
//! ```text
//! cargo run --release --bin life
//! ```
//!
//! In 48 generations a glider travels twelve cells down, which on this torus is where it was, and
//! twelve to the right:
//!
//! ```text
//! generation 0
//! .#......................
//! ..#.....................
//! ###.....................
//! ........................
//! (eight more of these)
//! generation 48
//! .............#..........
//! ..............#.........
//! ............###.........
//! ........................
//! (eight more of these)
//! ```

use std::sync::{Arc, mpsc};
use std::thread;

const N_ROWS: usize = 12;
const N_COLUMNS: usize = 24;
const N_GENERATIONS: usize = 48;

type Board = [[bool; N_COLUMNS]; N_ROWS];

fn main() {
    let mut board = [[false; N_COLUMNS]; N_ROWS];
    for (row, column) in [(0, 1), (1, 2), (2, 0), (2, 1), (2, 2)] {
        board[row][column] = true;
    }
    print(0, &board);

    let mut fan_out = Vec::new();
    let mut cells = Vec::new();
    let (to_main, fan_in) = mpsc::channel();
    for row in 0..N_ROWS {
        for column in 0..N_COLUMNS {
            let (to_cell, boards) = mpsc::channel::<Arc<Board>>();
            let to_main = to_main.clone();
            fan_out.push(to_cell);
            cells.push(thread::spawn(move || {
                for board in boards {
                    to_main.send((row, column, lives_on(&board, row, column))).unwrap();
                }
            }));
        }
    }

    for _ in 0..N_GENERATIONS {
        let current = Arc::new(board);
        for to_cell in &fan_out {
            to_cell.send(Arc::clone(&current)).unwrap();
        }
        for (row, column, lives) in fan_in.iter().take(cells.len()) {
            board[row][column] = lives;
        }
    }
    print(N_GENERATIONS, &board);

    // Without senders the channels end, and so do the threads that read them.
    drop(fan_out);
    for cell in cells {
        cell.join().unwrap();
    }
}

fn lives_on(board: &Board, row: usize, column: usize) -> bool {
    let mut n_neighbours = 0;
    for down in [N_ROWS - 1, 0, 1] {
        for right in [N_COLUMNS - 1, 0, 1] {
            let lives = board[(row + down) % N_ROWS][(column + right) % N_COLUMNS];
            if lives && (down, right) != (0, 0) {
                n_neighbours += 1;
            }
        }
    }
    n_neighbours == 3 || n_neighbours == 2 && board[row][column]
}

fn print(generation: usize, board: &Board) {
    println!("generation {generation}");
    for row in board {
        let line: String = row.iter().map(|&lives| if lives { '#' } else { '.' }).collect();
        println!("{line}");
    }
}
