/** What an adapter's file holds beside the pairs of the decoder layers, as frozen weights of its model. */
package dev.lethe.nn.frozen;
