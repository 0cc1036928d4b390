//! Published option prices, within what chance allows, and the independence of blocks.
use super::{of_number, over_range};
use rust_core::montecarlo::MONTECARLO;
use serde_json::{Value, json};

/// A standard normal number is beyond four deviations once in 16,000 times; the seed is fixed.
const DEVIATIONS_MAX: f64 = 4.0;
const BLOCKS: u32 = 8;

struct Estimate {
    price: f64,
    error: f64,
    delta: f64,
    gamma: f64,
    vega: f64,
}

fn estimate(market: &Value) -> Estimate {
    let outputs = over_range(&MONTECARLO, market, 0, BLOCKS).unwrap();
    let blocks: Vec<Value> = outputs
        .iter()
        .map(|output| serde_json::from_slice(output).unwrap())
        .collect();
    let sum = |name: &str| {
        blocks
            .iter()
            .map(|block| block[name].as_f64().unwrap())
            .sum::<f64>()
    };
    let paths = sum("paths");
    let price = sum("price_sum") / paths;
    let variance = sum("price_square_sum") / paths - price * price;
    let [delta, gamma, vega] = ["delta_sum", "gamma_sum", "vega_sum"].map(|name| sum(name) / paths);
    Estimate {
        price,
        error: (variance / paths).sqrt(),
        delta,
        gamma,
        vega,
    }
}

fn check_price(market: &Value, published: f64, rounding: f64) -> Estimate {
    let estimate = estimate(market);
    let off = (estimate.price - published).abs();
    let allowed = DEVIATIONS_MAX * estimate.error + rounding;
    assert!(
        off < allowed,
        "{} is {off} off {published}, more than {allowed}",
        estimate.price
    );
    estimate
}

/// Hull, "Options, Futures, and Other Derivatives", the example of the Black-Scholes-Merton chapter:
/// the call is 4.76 and the put 0.81.
#[test]
fn prices_of_the_textbook() {
    let mut market = json!({"spot": 42, "strike": 40, "rate": 0.1, "volatility": 0.2, "maturity_years": 0.5});
    check_price(&market, 4.76, 0.005);
    market["kind"] = json!("put");
    check_price(&market, 0.81, 0.005);
}

/// Hull, the chapter on Greek letters: a call on a share at 49, strike 50, rate 5 %, volatility 20 %,
/// 20 weeks: price 2.40, delta 0.522, gamma 0.066, vega 12.1. The put's delta is one less.
#[test]
fn greeks_of_the_textbook() {
    let mut market =
        json!({"spot": 49, "strike": 50, "rate": 0.05, "volatility": 0.2, "maturity_years": 20.0 / 52.0});
    for (kind, price, delta) in [("call", 2.40, 0.522), ("put", 2.448, -0.478)] {
        market["kind"] = json!(kind);
        let estimate = check_price(&market, price, 0.005);
        assert!((estimate.delta - delta).abs() < 0.003, "delta {}", estimate.delta);
        assert!((estimate.gamma - 0.066).abs() < 0.001, "gamma {}", estimate.gamma);
        assert!((estimate.vega - 12.1).abs() < 0.15, "vega {}", estimate.vega);
    }
}

#[test]
fn a_block_is_the_same_alone_and_among_others() {
    let market = json!({"paths_per_item": 1001, "seed": 7});
    let together = over_range(&MONTECARLO, &market, 10, 5).unwrap();
    for (block, output) in (10..).zip(&together) {
        assert_eq!(&over_range(&MONTECARLO, &market, block, 1).unwrap()[0], output);
    }
    let other = over_range(&MONTECARLO, &json!({"paths_per_item": 1001, "seed": 8}), 10, 1).unwrap();
    assert_ne!(other[0], together[0], "another seed gives other paths");
}

/// The bits that every machine and engine must give.
#[test]
fn the_bits_stay() {
    let answer = of_number(&MONTECARLO, &json!({"paths_per_item": 1000}), 3).unwrap();
    assert_eq!(
        answer["price_sum"].as_f64().unwrap().to_bits(),
        4_667_022_478_046_900_084
    );
}
