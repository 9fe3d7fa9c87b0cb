// A shop that sends its events to Forebay. ?gateway= is its address, ?release=bad has a mistake.
const parameters = new URLSearchParams(location.search);
const gateway = parameters.get('gateway') ?? 'http://localhost:9000';
const { createClient } = await import(`${gateway}/client.js`);
const url = `${gateway.replace(/^http/, 'ws')}/ws`;
const clicks = createClient({ url, stream: 'clicks' });
const orders = createClient({ url, stream: 'orders' });

const PRODUCTS = { shoes: 89.9, socks: 4.5, hat: 25 };
const session = crypto.randomUUID();
const cart = [];
const byId = (id) => document.getElementById(id);

function button(text, onClick) {
  const made = document.createElement('button');
  made.type = 'button';
  made.textContent = text;
  made.addEventListener('click', onClick);
  return made;
}

// A failure to send must not break the shop: the client reports it by its callbacks.
const track = (type, product) => clicks.send({ type, session, product }).catch(() => {});

function view(product) {
  track('product_viewed', product);
  byId('result').textContent = `${product}: ${PRODUCTS[product]} €`;
}

function add(product) {
  cart.push(product);
  track('added_to_cart', product);
  byId('cart').textContent = cart.join(', ');
  byId('buy').disabled = false;
}

async function buy() {
  const sum = cart.reduce((total, product) => total + PRODUCTS[product], 0);
  const total = parameters.get('release') === 'bad' ? sum.toFixed(2) : sum;
  byId('result').textContent = 'ordering …';
  try {
    await orders.send({ session, products: cart.splice(0), total });
    byId('result').textContent = 'ordered';
  } catch (error) {
    byId('result').textContent = `not ordered: ${error.message}`;
  }
  byId('cart').textContent = 'empty';
  byId('buy').disabled = true;
}

for (const product of Object.keys(PRODUCTS)) {
  const row = document.createElement('li');
  row.append(
    button(`View ${product}`, () => view(product)),
    button(`Add ${product}`, () => add(product)),
  );
  byId('products').append(row);
}
byId('buy').addEventListener('click', buy);
