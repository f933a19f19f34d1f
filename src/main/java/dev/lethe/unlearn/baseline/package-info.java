/** Methods that unlearning is compared with. */
package dev.lethe.unlearn.baseline;
